import type { Action, z } from '@carespine/kit/contract'
import { keepPreviousData, type UseMutationResult, type UseQueryResult, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ApiError, call } from './api.ts'

interface QueryOptions {
  enabled?: boolean
  /** Keep what was shown while the next answer comes: for search as one types. */
  keep?: boolean
  refetchSeconds?: number
}

/** A query action as React Query state. Its key is the action's name and input; hints refetch by name. */
export function useAction<I extends z.ZodType, O extends z.ZodType>(
  action: Action<I, O>,
  input: z.input<I>,
  { enabled = true, keep = false, refetchSeconds }: QueryOptions = {},
): UseQueryResult<z.output<O>, ApiError> {
  return useQuery({
    queryKey: [action.name, input],
    queryFn: () => call(action, input),
    enabled,
    ...(keep ? { placeholderData: keepPreviousData } : {}),
    ...(refetchSeconds === undefined ? {} : { refetchInterval: refetchSeconds * 1000 }),
  }) as UseQueryResult<z.output<O>, ApiError>
}

/** A command action; what is on screen is refetched when it succeeded. */
export function useCommand<I extends z.ZodType, O extends z.ZodType>(
  action: Action<I, O>,
): UseMutationResult<z.output<O>, ApiError, z.input<I>> {
  const client = useQueryClient()
  return useMutation<z.output<O>, ApiError, z.input<I>>({
    mutationFn: (input) => call(action, input),
    onSuccess: () => client.invalidateQueries(),
  })
}
