import { defineModule } from '@carespine/kit/module'
import { openAlerts } from '@carespine/notifications/contract'
import { getChart } from './contract.ts'
import { getChartQuery, rebuildChartCommand } from './read-chart.ts'

/** A patient's chart in one call, from a projection that knows how fresh it is. */
export const chart = defineModule({
  name: 'chart',
  migrations: new URL('../migrations/', import.meta.url),
  actions: [getChartQuery, rebuildChartCommand],
  routes(app, services) {
    const schema = (summary: string) => ({ tags: ['chart'], summary })
    app.get<{ Params: { id: string } }>(
      '/api/aggregate/patients/:id',
      { config: { allow: 'chart.read' }, schema: schema('The whole chart of a patient in one answer') },
      (request) => services.perform(getChart, { patientId: request.params.id }, request.actor, request.origin),
    )
    app.get<{ Params: { id: string } }>(
      '/api/aggregate/patients/:id/alerts',
      { config: { allow: 'chart.read' }, schema: schema('My open alerts about a patient') },
      async (request) => await services.ask(openAlerts, { userId: request.actor.id, patientId: request.params.id }),
    )
    app.get(
      '/api/aggregate/alerts',
      { config: { allow: 'notifications.read' }, schema: schema('My open alerts') },
      async (request) => await services.ask(openAlerts, { userId: request.actor.id }),
    )
  },
})
