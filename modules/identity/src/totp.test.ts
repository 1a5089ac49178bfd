import { Secret } from 'otpauth'
import { describe, expect, test } from 'vitest'
import { stepOf } from './totp.ts'

// RFC 6238, appendix B, SHA-1: the last six of its eight digits, which is what six digits are (RFC 4226, section 5.3).
const secret = Secret.fromLatin1('12345678901234567890').base32
const vectors = [
  ['1970-01-01T00:00:59Z', '287082', 1],
  ['2005-03-18T01:58:29Z', '081804', 37037036],
  ['2005-03-18T01:58:31Z', '050471', 37037037],
  ['2009-02-13T23:31:30Z', '005924', 41152263],
  ['2033-05-18T03:33:20Z', '279037', 66666666],
  ['2603-10-11T11:33:20Z', '353130', 666666666],
] as const

describe('codes of an authenticator app', () => {
  test.each(vectors)('at %s the code is %s (RFC 6238, appendix B)', (at, code, step) => {
    expect(stepOf(secret, code, new Date(at))).toBe(step)
  })

  test('a clock may be one step off, not two, and the step that the code belongs to is told', () => {
    const after = (seconds: number) => stepOf(secret, '279037', new Date(Date.parse('2033-05-18T03:33:20Z') + seconds * 1000))
    expect([after(-51), after(-50), after(0), after(39), after(40)]).toEqual([undefined, 66666666, 66666666, 66666666, undefined])
  })

  test('another code, and one of another length, are wrong', () => {
    for (const code of ['279038', '27903', '2790370', '']) expect(stepOf(secret, code, new Date('2033-05-18T03:33:20Z')), code).toBeUndefined()
  })
})
