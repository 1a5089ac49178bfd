import { describe, expect, test } from 'vitest'
import { laneOf } from './map-message.ts'
import { type Message, parseMessage } from './message.ts'

describe('lanes', () => {
  test('messages about one patient share a lane; without one, those about one specimen', () => {
    const lane = (...segments: string[]) => laneOf(parseMessage(['MSH|^~\\&|L|H|||2026||ORU^R01|C-1|P|2.5', ...segments].join('\r')) as Message)
    expect(lane('PID|1||100^^^HIS', 'OBR|1||X')).toBe(lane('PID|1||100^^^OTHER', 'OBR|1||Y'))
    expect(lane('PID|1', 'OBR|1||X')).toBe('X')
    expect(lane('PID|1')).toBe('C-1')
  })
})
