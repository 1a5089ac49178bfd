import type { Services } from '@carespine/kit/services'
import type { FastifyInstance } from 'fastify'
import { publicKeysRoute } from './client-tokens.ts'
import { type Desk, type Office, openDesk } from './desk.ts'
import { secondStepRoutes } from './second-step.ts'
import { sessionRoutes } from './keep-session.ts'
import { setUpRoute } from './set-up.ts'
import { stepUpRoutes } from './step-up.ts'
import { wardComputerRoutes } from './ward-computer.ts'
import { signInRoute } from './sign-in.ts'

/** Every way in, by what somebody does. */
export function signInRoutes(app: FastifyInstance, services: Services, office: Office): Desk {
  const desk = openDesk(services, office)
  signInRoute(app, desk)
  sessionRoutes(app, desk)
  setUpRoute(app, desk)
  publicKeysRoute(app, desk)
  secondStepRoutes(app, desk)
  stepUpRoutes(app, desk)
  wardComputerRoutes(app, desk)
  return desk
}
