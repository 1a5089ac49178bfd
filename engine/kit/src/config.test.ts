import { describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'

const DATABASE_URL = 'postgres://owner@db.example/carespine'

describe('the environment', () => {
  test('that says nothing is one process with everything, for this machine alone', () => {
    const { roles, host, metricsAccess, trustedProxies, databaseUrl } = readConfig({ ROLES: '', HOST: '' })
    expect({ roles, host, metricsAccess, trustedProxies, databaseUrl }).toEqual({
      roles: ['api', 'worker', 'links', 'sockets'],
      host: '127.0.0.1',
      metricsAccess: 'local',
      trustedProxies: [],
      databaseUrl: undefined,
    })
  })

  test('that names some roles needs a database for the others to join', () => {
    expect(readConfig({ ROLES: ' worker , links,worker', DATABASE_URL }).roles).toEqual(['worker', 'links'])
    expect(() => readConfig({ ROLES: 'worker,links' })).toThrow(/^ROLES: .*DATABASE_URL/)
    expect(() => readConfig({ ROLES: 'api,cook', DATABASE_URL })).toThrow(/^ROLES: /)
  })

  test('believes proxies by address, subnet or loopback, and names what is none of these', () => {
    const proxies = ['10.0.0.0/8', '192.0.2.7', '::1', 'fd00::/8', 'loopback']
    expect(readConfig({ TRUSTED_PROXIES: proxies.join(', ') }).trustedProxies).toEqual(proxies)
    for (const wrong of ['proxy.example', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'true', '*']) {
      expect(() => readConfig({ TRUSTED_PROXIES: wrong })).toThrow(/^TRUSTED_PROXIES: /)
    }
  })

  test('that is wrong in several places names each in a line of its own', () => {
    expect(() => readConfig({ PORT: 'http', METRICS_ACCESS: 'all' })).toThrow(/^PORT: .*\nMETRICS_ACCESS: /)
  })
})
