import { describe, expect, test } from 'vitest'
import { Deframer, frame, MAX_MESSAGE } from './mllp.ts'

const texts = (deframer: Deframer, ...chunks: (string | Buffer)[]) =>
  chunks.flatMap((chunk) => deframer.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk).map(({ bytes }) => bytes.toString()))

describe('frames', () => {
  test('a frame that comes a byte at a time is one message', () => {
    const deframer = new Deframer()
    expect(texts(deframer, ...[...frame('MSH|ä')].map((byte) => Buffer.from([byte])))).toEqual(['MSH|ä'])
  })

  test('two messages in one packet are two, whatever stands between and before them', () => {
    expect(texts(new Deframer(), Buffer.concat([Buffer.from('noise\r'), frame('one'), Buffer.from('\r\n\x1c\r'), frame('two')]))).toEqual(['one', 'two'])
  })

  test('a frame without its last return still ends', () => {
    expect(texts(new Deframer(), '\x0bone\x1c', '\x0btwo\x1c', '\r\x0bthree\x1c\r')).toEqual(['one', 'two', 'three'])
  })

  test('a message that was cut off is never joined to the next one', () => {
    expect(texts(new Deframer(), '\x0bMSH|first\rPID|patient A', '\x0bMSH|second\rPID|patient B\x1c\r')).toEqual(['MSH|second\rPID|patient B'])
  })

  test('a message beyond the limit comes as its beginning, and the next one whole', () => {
    const deframer = new Deframer()
    const piece = Buffer.alloc(100_000, 'x')
    const found = [Buffer.from('\x0bMSH|'), ...Array.from({ length: 12 }, () => piece), Buffer.from('\x1c\r'), frame('next')].flatMap((chunk) => deframer.push(chunk))
    expect(found.map(({ bytes, isCut }) => [bytes.subarray(0, 4).toString(), isCut])).toEqual([['MSH|', true], ['next', false]])
    expect(found[0]?.bytes.length).toBeLessThan(10_000)
  })

  test('the largest message that is taken is whole', () => {
    const [found] = new Deframer().push(frame('y'.repeat(MAX_MESSAGE)))
    expect([found?.bytes.length, found?.isCut]).toEqual([MAX_MESSAGE, false])
  })
})
