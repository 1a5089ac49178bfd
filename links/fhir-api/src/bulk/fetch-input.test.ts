import { describe, expect, test } from 'vitest'
import { fetchInput, mayFetch } from './fetch-input.ts'

describe('where $import fetches from', () => {
  test.each([
    ['https://files.example/a.ndjson', [], false],
    ['https://files.example/a.ndjson', ['https://files.example'], true],
    ['https://files.example:8443/a.ndjson', ['https://files.example'], false],
    ['http://files.example/a.ndjson', ['https://files.example'], false],
    ['http://10.0.0.5:9000/a.ndjson', ['http://10.0.0.5:9000'], true],
    ['https://anybody.example/a.ndjson', ['*'], true],
    ['http://anybody.example/a.ndjson', ['*'], false],
    ['https://10.0.0.5/a.ndjson', ['*'], false],
    ['https://2130706433/', ['*'], false],
    ['https://[::1]/', ['*'], false],
    ['https://user:word@files.example/', ['*', 'https://files.example'], false],
    ['file:///etc/passwd', ['*'], false],
    ['no address', ['*'], false],
  ])('%s, where %j may be: %s', (address, origins, may) => {
    expect(mayFetch(address, origins)).toBe(may)
  })

  test('a name that leads inside is refused when the connection is made', async () => {
    await expect(fetchInput('https://localhost:9/', ['*'])).rejects.toThrow('ADDRESS_REFUSED')
  })
})
