import { readFileSync } from 'node:fs'
import { hospitalModules } from '@carespine/server/modules'
import { expect, test } from 'vitest'
import { cataloguePath, eventCatalogue } from './generate-event-catalogue.ts'

const { modules } = hospitalModules()

test('the event catalogue in docs/events.md is what the definitions say', () => {
  expect(readFileSync(cataloguePath, 'utf8'), 'run: npm run events').toBe(eventCatalogue(modules))
})

test('an event that a module reacts to is listed by the module that sends it', () => {
  const listed = new Set(modules.flatMap(({ events = [] }) => events.map(({ type }) => type)))
  const heard = modules.flatMap(({ reactions = [] }) => reactions.map(({ on }) => on.type))
  expect(heard.length).toBeGreaterThan(0)
  expect(heard.filter((type) => !listed.has(type))).toEqual([])
})
