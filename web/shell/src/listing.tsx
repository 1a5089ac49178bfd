import { type Column, DataTable } from '@carespine/ui/data-table'
import type { ReactNode } from 'react'
import { ErrorNote, Waiting } from './page.tsx'
import type { Pages } from './use-pages.ts'

interface ListingProps<Row> {
  pages: Pages<unknown, Row>
  label: string
  columns: readonly Column<Row>[]
  keyOf(row: Row): string
  toneOf?: (row: Row) => 'chosen' | 'urgent' | undefined
  /** What is said when there is nothing, and what to do about it. */
  empty: ReactNode
}

/** A list of a server in each of its states: not there yet, refused, empty, in part. */
export function Listing<Row>({ pages, label, columns, keyOf, toneOf, empty }: ListingProps<Row>) {
  const { rows, first, more, error, retry } = pages
  return (
    <>
      <ErrorNote error={error} onRetry={retry} />
      {!first && !error && <Waiting />}
      {first !== undefined && rows.length === 0 && empty}
      {rows.length > 0 && <DataTable label={label} columns={columns} rows={rows} keyOf={keyOf} more={more} {...(toneOf ? { toneOf } : {})} />}
    </>
  )
}
