import { Box, Table, Text, useComputedColorScheme, VisuallyHidden } from '@mantine/core'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'

interface TrendData {
  name: string
  unit: string
  decimals: number
  range?: { low?: number | undefined; high?: number | undefined } | undefined
  critical?: { low?: number | undefined; high?: number | undefined } | undefined
  points: readonly { at: string; value: number }[]
}

/** Paints the reference band and the critical limits below the line. */
function bands(range: TrendData['range'], critical: TrendData['critical']): uPlot.Plugin {
  return {
    hooks: {
      drawAxes: (plot) => {
        const { left, top, width, height } = plot.bbox
        const y = (value: number): number => Math.max(top, Math.min(top + height, plot.valToPos(value, 'y', true)))
        plot.ctx.save()
        if (range && (range.low !== undefined || range.high !== undefined)) {
          const upper = range.high === undefined ? top : y(range.high)
          const lower = range.low === undefined ? top + height : y(range.low)
          plot.ctx.fillStyle = 'rgba(26, 160, 147, 0.16)'
          plot.ctx.fillRect(left, upper, width, lower - upper)
        }
        plot.ctx.strokeStyle = 'rgba(201, 42, 42, 0.75)'
        plot.ctx.setLineDash([6, 4])
        for (const limit of [critical?.low, critical?.high]) {
          if (limit === undefined || y(limit) <= top || y(limit) >= top + height) continue
          plot.ctx.beginPath()
          plot.ctx.moveTo(left, y(limit))
          plot.ctx.lineTo(left + width, y(limit))
          plot.ctx.stroke()
        }
        plot.ctx.restore()
      },
    },
  }
}

/** A value over time with its reference band; the same numbers as a table for those who do not see the drawing. */
export function Trend({ trend, height = 180, format }: { trend: TrendData; height?: number; format(at: string): string }) {
  const { t, i18n } = useTranslation()
  const { language } = i18n
  const scheme = useComputedColorScheme('light')
  const box = useRef<HTMLDivElement>(null)
  const { points, range, critical, decimals } = trend
  useEffect(() => {
    const element = box.current
    if (!element || points.length === 0) return
    const values = points.map(({ value }) => value)
    const near = [range?.low, range?.high].filter((limit) => limit !== undefined)
    const [least, most] = [Math.min(...values, ...near), Math.max(...values, ...near)]
    const margin = (most - least || 1) * 0.15
    const [from, to] = [Date.parse(points[0]?.at ?? '') / 1000, Date.parse(points.at(-1)?.at ?? '') / 1000]
    // Room on both sides, so that the first and the last are seen whole; around a single one a few days.
    const aside = to > from ? (to - from) * 0.04 : 3 * 86_400
    const days = (to - from + 2 * aside) / 86_400
    const ink = scheme === 'dark' ? { line: '#3db8aa', text: '#b8bec4' } : { line: '#0b655e', text: '#5c6773' }
    const ticksText = new Intl.DateTimeFormat(
      `${language === 'ar' ? 'ar-SA' : 'en-GB'}-u-nu-latn-ca-gregory`,
      days > 300 ? { month: 'short', year: '2-digit' } : days > 2 ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
    )
    const plot = new uPlot(
      {
        width: element.clientWidth || 320,
        height,
        legend: { show: false },
        cursor: { y: false },
        scales: { x: { range: [from - aside, to + aside] }, y: { range: [least - margin, most + margin] } },
        axes: [
          { stroke: ink.text, grid: { show: false }, font: '11px system-ui', space: 70, values: (_plot, ticks) => ticks.map((tick) => ticksText.format(tick * 1000)) },
          { stroke: ink.text, grid: { stroke: 'rgba(120,130,140,.18)' }, size: 46, font: '11px system-ui', values: (_plot, ticks) => ticks.map((tick) => tick.toFixed(Math.min(decimals, 1))) },
        ],
        series: [{}, { stroke: ink.line, width: 2, points: { show: true, size: 7, fill: ink.line } }],
        plugins: [bands(range, critical)],
      },
      [points.map(({ at }) => Date.parse(at) / 1000), values],
      element,
    )
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  }, [points, range, critical, decimals, height, language, scheme])
  if (points.length === 0) return <Text c="dimmed">{t('trend.none')}</Text>
  return (
    <Box>
      <div ref={box} aria-hidden="true" style={{ direction: 'ltr', width: '100%' }} />
      <VisuallyHidden>
        <Table>
          <caption>{t('trend.caption', { name: trend.name, unit: trend.unit })}</caption>
          <tbody>
            {points.map(({ at, value }) => (
              <tr key={at + value}>
                <th scope="row">{format(at)}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </Table>
      </VisuallyHidden>
    </Box>
  )
}

/** A small line without axes, for tables. */
export function Sparkline({ values, width = 84, height = 22 }: { values: readonly number[]; width?: number; height?: number }) {
  if (values.length < 2) return null
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const x = (at: number): number => 3 + (at / (values.length - 1)) * (width - 6)
  const y = (value: number): number => height - 4 - ((value - least) / (most - least || 1)) * (height - 8)
  const last = values.length - 1
  return (
    <svg width={width} height={height} aria-hidden="true" style={{ direction: 'ltr', display: 'block' }}>
      <polyline points={values.map((value, at) => `${x(at)},${y(value)}`).join(' ')} fill="none" stroke="var(--mantine-color-teal-7)" strokeWidth="1.6" />
      <circle cx={x(last)} cy={y(values[last] as number)} r="2.6" fill="var(--mantine-color-teal-8)" />
    </svg>
  )
}
