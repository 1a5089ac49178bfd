import type { Services } from '@carespine/kit/services'
import type { FastifyInstance } from 'fastify'
import { clientTokenRoutes } from './client-tokens.ts'
import { type Desk, openDesk } from './desk.ts'
import { sessionRoutes } from './keep-session.ts'
import { setUpRoute } from './set-up.ts'
import { signInRoute } from './sign-in.ts'

/** Every way in, by what somebody does. */
export function signInRoutes(app: FastifyInstance, services: Services, office: Pick<Desk, 'tokens' | 'forget'>): void {
  const desk = openDesk(services, office)
  signInRoute(app, desk)
  sessionRoutes(app, desk)
  setUpRoute(app, desk)
  clientTokenRoutes(app, desk)
}
