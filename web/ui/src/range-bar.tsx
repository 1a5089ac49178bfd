import { Group, Text } from '@mantine/core'
import { type Limits, rangeText } from './range-text.ts'

const WIDTH = 96

interface RangeProps {
  value: number
  range?: Limits | undefined
  critical?: Limits | undefined
}

/** Where a value lies against its reference band, with the critical limits as ticks. The table beside it says the same in words. */
function RangeBar({ value, range, critical }: RangeProps) {
  const low = range?.low ?? Math.min(value, range?.high ?? value) * 0.6
  const high = range?.high ?? Math.max(value, low) * 1.6
  const width = high - low || 1
  const from = Math.min(low - width * 0.5, value, critical?.low ?? low)
  const to = Math.max(high + width * 0.5, value, critical?.high ?? high)
  const at = (x: number): number => ((x - from) / (to - from || 1)) * (WIDTH - 12) + 6
  const inside = value >= low && value <= high
  return (
    <svg width={WIDTH} height="16" viewBox={`0 0 ${WIDTH} 16`} aria-hidden="true" style={{ direction: 'ltr', display: 'block', flexShrink: 0 }}>
      <rect x="0" y="6" width={WIDTH} height="4" rx="2" fill="var(--mantine-color-default-border)" />
      <rect x={at(low)} y="5" width={Math.max(2, at(high) - at(low))} height="6" rx="2" fill="var(--mantine-color-teal-3)" />
      {[critical?.low, critical?.high].map((limit) =>
        limit === undefined ? null : <rect key={limit} x={at(limit) - 0.75} y="2" width="1.5" height="12" fill="var(--mantine-color-red-7)" />,
      )}
      <circle cx={at(value)} cy="8" r="4.5" fill={inside ? 'var(--mantine-color-teal-8)' : 'var(--mantine-color-red-8)'} stroke="white" strokeWidth="1.2" />
    </svg>
  )
}

/** The reference range of a value, drawn where there is something to draw, and in figures. */
export function RangeCell({ value, range, critical }: { value?: number | undefined; range?: Limits | undefined; critical?: Limits | undefined }) {
  const isDrawn = value !== undefined && (range?.low !== undefined || range?.high !== undefined)
  return (
    <Group gap="xs" wrap="nowrap">
      {isDrawn && <RangeBar value={value} range={range} critical={critical} />}
      <Text size="xs" component="bdi" dir="ltr" style={{ whiteSpace: 'nowrap' }}>
        {rangeText(range)}
      </Text>
    </Group>
  )
}
