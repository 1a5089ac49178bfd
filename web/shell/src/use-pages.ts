import type { Action, z } from '@carespine/kit/contract'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { type ApiError, call } from './api.ts'

/** A list as far as it was fetched, and the way to the rest. */
export interface Pages<Page, Row> {
  rows: readonly Row[]
  /** The first page, for what it says beside its rows; undefined until it is there. */
  first: Page | undefined
  more: { hasMore: boolean; isLoading: boolean; load(): void }
  error: ApiError | null
  /** What is shown answers an earlier question. */
  isStale: boolean
  isFetching: boolean
  retry(): void
}

interface Asked<Page, Row> {
  rowsOf(page: Page): readonly Row[]
  keyOf(row: Row): string
  enabled?: boolean
  refetchSeconds?: number
}

/** A query action that answers in pages. Rows that a later page brings again, because the list moved, are shown once. */
export function usePages<I extends z.ZodType, O extends z.ZodType, Row>(
  action: Action<I, O>,
  input: Omit<z.input<I>, 'cursor'>,
  { rowsOf, keyOf, enabled = true, refetchSeconds }: Asked<z.output<O>, Row>,
): Pages<z.output<O>, Row> {
  const { data, error, isPlaceholderData, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    queryKey: [action.name, 'pages', input],
    queryFn: ({ pageParam }) => call(action, { ...input, ...(pageParam === undefined ? {} : { cursor: pageParam }) } as z.input<I>),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => (page as { next?: string }).next,
    enabled,
    placeholderData: keepPreviousData,
    ...(refetchSeconds === undefined ? {} : { refetchInterval: refetchSeconds * 1000 }),
  })
  const pages = (data?.pages ?? []) as z.output<O>[]
  return {
    rows: [...new Map(pages.flatMap(rowsOf).map((row) => [keyOf(row), row])).values()],
    first: pages[0],
    more: { hasMore: hasNextPage, isLoading: isFetchingNextPage, load: () => void fetchNextPage() },
    error: error as ApiError | null,
    isStale: isPlaceholderData,
    isFetching,
    retry: () => void refetch(),
  }
}
