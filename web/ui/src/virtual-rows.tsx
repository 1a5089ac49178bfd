import { useVirtualizer, useWindowVirtualizer, type Virtualizer } from '@tanstack/react-virtual'
import { type CSSProperties, type HTMLAttributes, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react'

/** Up to so many are simply drawn; a reader and the browser's own search then find all of them. */
const DRAWN_AT_ONCE = 60

/** What a row puts on its element, so that it can be measured. */
export interface Placed {
  ref?: (element: Element | null) => void
  'data-index': number
}

interface VirtualRowsProps<T> {
  rows: readonly T[]
  keyOf(row: T): string
  /** Usual height in pixels; true heights are measured. */
  estimate: number
  /** `page` scrolls with the page; `box` in a box of its own, at most this high. */
  scroll: 'page' | { maxHeight: string }
  /** Kept in view while the keyboard moves along the rows. */
  active?: number | undefined
  /** Called when the end comes into view. */
  onEnd?: (() => void) | undefined
  /** Of the element that holds the rows. */
  holder?: HTMLAttributes<HTMLDivElement>
  children(row: T, index: number, placed: Placed): ReactNode
}

/** Rows of which only those in sight, and some around them, are in the page. Every list that can grow is one of these. */
export function VirtualRows<T>(props: VirtualRowsProps<T>) {
  return props.scroll === 'page' ? <PageRows {...props} /> : <BoxRows {...props} maxHeight={props.scroll.maxHeight} />
}

function PageRows<T>(props: VirtualRowsProps<T>) {
  const { rows, keyOf, estimate } = props
  const top = useRef<HTMLDivElement>(null)
  const [scrollMargin, setScrollMargin] = useState(0)
  useLayoutEffect(() => {
    const measure = (): void => {
      if (top.current) setScrollMargin(Math.round(top.current.getBoundingClientRect().top + window.scrollY))
    }
    measure()
    // What stands above may grow: a banner, an error.
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [])
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => estimate,
    getItemKey: (index) => keyOf(rows[index] as T),
    overscan: 12,
    scrollMargin,
  })
  return (
    <div ref={top}>
      <Drawn {...props} virtualizer={virtualizer} scrollMargin={scrollMargin} />
    </div>
  )
}

function BoxRows<T>({ maxHeight, holder, ...props }: VirtualRowsProps<T> & { maxHeight: string }) {
  const { rows, keyOf, estimate } = props
  const box = useRef<HTMLDivElement>(null)
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => estimate,
    getItemKey: (index) => keyOf(rows[index] as T),
    overscan: 12,
  })
  return (
    <div ref={box} {...holder} style={{ maxHeight, overflowY: 'auto', overscrollBehavior: 'contain' }}>
      <Drawn {...props} virtualizer={virtualizer} scrollMargin={0} />
    </div>
  )
}

interface DrawnProps<T, S extends Element | Window> extends VirtualRowsProps<T> {
  virtualizer: Virtualizer<S, Element>
  scrollMargin: number
}

function Drawn<T, S extends Element | Window>({ rows, keyOf, active, onEnd, holder, children, virtualizer, scrollMargin }: DrawnProps<T, S>) {
  const all = rows.length <= DRAWN_AT_ONCE
  const list = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (active === undefined || active < 0) return
    if (all) list.current?.querySelector(`[data-index="${active}"]`)?.scrollIntoView({ block: 'nearest' })
    else virtualizer.scrollToIndex(active, { align: 'auto' })
  }, [active, all, virtualizer])
  const items = virtualizer.getVirtualItems()
  // The rows stand in the normal flow, between as much room as those that are left out would take.
  const space: CSSProperties = all
    ? {}
    : {
        paddingBlockStart: Math.max(0, (items[0]?.start ?? scrollMargin) - scrollMargin),
        paddingBlockEnd: Math.max(0, virtualizer.getTotalSize() - ((items.at(-1)?.end ?? scrollMargin) - scrollMargin)),
      }
  return (
    <>
      <div ref={list} {...holder} style={{ ...holder?.style, ...space }}>
        {all
          ? rows.map((row, index) => <Keyed key={keyOf(row)}>{children(row, index, { 'data-index': index })}</Keyed>)
          : items.map(({ key, index }) => (
              <Keyed key={key}>{children(rows[index] as T, index, { ref: virtualizer.measureElement, 'data-index': index })}</Keyed>
            ))}
      </div>
      {onEnd && <End key={rows.length} onSeen={onEnd} />}
    </>
  )
}

function Keyed({ children }: { children: ReactNode }) {
  return children
}

/** Tells when the end of the list is near the part in sight. */
function End({ onSeen }: { onSeen(): void }) {
  const mark = useRef<HTMLDivElement>(null)
  const seen = useRef(onSeen)
  useEffect(() => {
    seen.current = onSeen
  })
  useEffect(() => {
    if (!mark.current) return
    const observer = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && seen.current(), { rootMargin: '600px' })
    observer.observe(mark.current)
    return () => observer.disconnect()
  }, [])
  return <div ref={mark} aria-hidden="true" />
}
