import { describe, expect, test } from 'vitest'
import { faultOfEndpoint, isPublic, postTo } from './reach-endpoint.ts'

describe('where notifications are sent', () => {
  test.each(['8.8.8.8', '93.184.216.34', '2606:4700:4700::1111'])('%s is of the public internet', (address) => {
    expect(isPublic(address)).toBe(true)
  })

  test.each(['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '::1', '::', 'fe80::1', 'fd00::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '64:ff9b::7f00:1', 'receiver.example'])(
    '%s is not',
    (address) => {
      expect(isPublic(address)).toBe(false)
    },
  )

  test.each([
    ['https://receiver.example/hook', undefined],
    ['http://receiver.example/hook', 'https'],
    ['https://127.0.0.1/hook', 'an address'],
    // As URLs write them: one number, octal, hexadecimal.
    ['https://2130706433/', 'an address'],
    ['https://0177.0.0.1/', 'an address'],
    ['https://0x7f.1/', 'an address'],
    ['https://[::1]/', 'an address'],
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
