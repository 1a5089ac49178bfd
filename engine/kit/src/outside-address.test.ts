import { expect, test } from 'vitest'
import { isInside, isPublic } from './outside-address.ts'

test.each(['8.8.8.8', '93.184.216.34', '2606:4700:4700::1111'])('%s is of the public internet', (address) => {
  expect(isPublic(address)).toBe(true)
})

test.each(['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '::1', '::', 'fe80::1', 'fd00::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '64:ff9b::7f00:1', 'receiver.example'])(
  '%s is not',
  (address) => {
    expect(isPublic(address)).toBe(false)
  },
)

// As URLs write them: one number, octal, hexadecimal.
test.each(['https://2130706433/', 'https://0177.0.0.1/', 'https://0x7f.1/', 'https://[::1]/', 'http://10.0.0.1:9000/'])('%s is inside', (url) => {
  expect(isInside(new URL(url))).toBe(true)
})

test('a name is looked at when the connection is made', () => {
  expect(isInside(new URL('https://localhost/'))).toBe(false)
})
