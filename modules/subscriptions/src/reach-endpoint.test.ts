import { describe, expect, test } from 'vitest'
import { faultOfEndpoint, postTo } from './reach-endpoint.ts'

describe('where notifications are sent', () => {
  test.each([
    ['https://receiver.example/hook', undefined],
    ['http://receiver.example/hook', 'https'],
    ['https://127.0.0.1/hook', 'an address'],
    ['https://user:word@receiver.example/', 'a user name'],
    ['ftp://receiver.example/', 'https'],
    ['http://bridge.local:8080/hook', undefined],
    ['http://bridge.local:8081/hook', 'https'],
    ['ftp://bridge.local:8080/hook', 'neither'],
  ])('%s: %s', (endpoint, fault) => {
    const said = faultOfEndpoint(endpoint, ['bridge.local:8080'])
    if (fault === undefined) expect(said).toBeUndefined()
    else expect(said).toContain(fault)
  })

  test('a name that leads inside is refused when the connection is made', async () => {
    await expect(postTo({ endpoint: 'https://localhost:9/', headers: {}, body: '', timeoutMilliseconds: 2000, trusted: [] })).rejects.toMatchObject({ reason: 'ADDRESS_REFUSED' })
  })
})
