import { Loader } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import classes from './data-table.module.css'
import { VirtualRows } from './virtual-rows.tsx'

export interface Column<Row> {
  key: string
  title: string
  /** A track of CSS grid: `minmax(180px, 2fr)`. */
  width: string
  cell(row: Row): ReactNode
  align?: 'end'
  /** On a narrow screen a row is a card: its heading, what stands beside that, a line with its title before it, or nothing. */
  card?: 'lead' | 'aside' | 'titled' | 'hidden'
}

/** More rows that the server has. */
export interface More {
  hasMore: boolean
  isLoading: boolean
  load(): void
}

interface DataTableProps<Row> {
  label: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  keyOf(row: Row): string
  more?: More | undefined
  /** Rows that stand out; the one that is chosen, or one that is urgent. */
  toneOf?: (row: Row) => 'chosen' | 'urgent' | undefined
}

/** A table that is paged by the server and drawn as far as it is in sight; a list of cards where the screen is narrow. */
export function DataTable<Row>({ label, columns, rows, keyOf, more, toneOf }: DataTableProps<Row>) {
  const { t } = useTranslation()
  const tracks = { '--tracks': columns.map(({ width }) => width).join(' ') } as Record<string, string>
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows are laid out as a grid and most are not in the page, which no table element allows.
    <div role="table" aria-label={label} aria-rowcount={more?.hasMore ? -1 : rows.length + 1} className={classes.table} style={tracks}>
      {/* biome-ignore lint/a11y/useSemanticElements: see above. */}
      <div role="rowgroup" className={classes.head}>
        {/* biome-ignore lint/a11y/useSemanticElements: see above. */}
        {/* biome-ignore lint/a11y/useFocusableInteractive: a row is no control. */}
        <div role="row" aria-rowindex={1} className={classes.row}>
          {columns.map(({ key, title, align }) => (
            // biome-ignore lint/a11y/useSemanticElements: see above.
            // biome-ignore lint/a11y/useFocusableInteractive: a heading is no control.
            <div role="columnheader" key={key} data-align={align}>
              {title}
            </div>
          ))}
        </div>
      </div>
      <VirtualRows rows={rows} keyOf={keyOf} estimate={45} scroll="page" holder={{ role: 'rowgroup' }} onEnd={more?.hasMore && !more.isLoading ? more.load : undefined}>
        {(row, index, placed) => (
          // biome-ignore lint/a11y/useSemanticElements: see above.
          // biome-ignore lint/a11y/useFocusableInteractive: a row is no control.
          <div role="row" aria-rowindex={index + 2} className={classes.row} data-tone={toneOf?.(row)} {...placed}>
            {columns.map(({ key, title, cell, align, card }) => (
              // biome-ignore lint/a11y/useSemanticElements: see above.
              <div role="cell" key={key} data-align={align} data-card={card} data-title={card === 'titled' ? title : undefined}>
                {cell(row)}
              </div>
            ))}
          </div>
        )}
      </VirtualRows>
      {more?.isLoading && (
        <div className={classes.more}>
          <Loader size="sm" aria-label={t('common.loading')} />
        </div>
      )}
    </div>
  )
}
