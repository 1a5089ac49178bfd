import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import pg from 'pg'
import './global-setup.ts'

export interface TestDatabase {
  /** As its owner. */
  url: string
  drop(): Promise<void>
}

/** An empty database of its own on this run's PostgreSQL. */
export async function testDatabase(): Promise<TestDatabase> {
  const ownerUrl = inject('ownerUrl')
  const name = `test_${randomUUID().replaceAll('-', '').slice(0, 16)}`
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: ownerUrl })
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }
  await run(`create database ${name}`)
  const url = new URL(ownerUrl)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(`drop database if exists ${name} with (force)`) }
}

/** A clock that tests move. */
export function clockAt(iso: string): { now(): Date; advance(milliseconds: number): void } {
  let time = Date.parse(iso)
  return {
    now: () => new Date(time),
    advance(milliseconds) {
      time += milliseconds
    },
  }
}
