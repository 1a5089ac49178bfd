import { randomUUID } from 'node:crypto'
import type { Hint } from '@carespine/store/contract'
import { INDEX_CHANNEL } from '@carespine/store/index-again'
import type { Committed, Store } from '@carespine/store/store'

const HINTS = 'carespine_hints'
const EVENTS = 'carespine_outbox'
const everywhere = { branches: '', patient: '' }
/** A search parameter that another process made is known here at the latest after this time. */
const INDEX_MILLISECONDS = 10_000

const GATHERING_MILLISECONDS = 20

interface Listener {
  /** Another process committed events. */
  onEvents(): void
  /** Another process has something to tell browsers. */
  onHint(hint: Hint): void
  onFault(): void
}

export interface Others {
  /** Tells the other processes what was committed here. Names and identifiers only. */
  tell(committed: Committed): void
  leave(): void
}

/** Makes this process one of several on its database: they tell each other by LISTEN and NOTIFY. */
export async function joinOthers(store: Store, { onEvents, onHint, onFault }: Listener): Promise<Others> {
  const self = randomUUID()
  const refreshIndex = (): void => void store.searchIndex.refresh().catch(() => undefined)
  const stopListening = await store.database.listen([HINTS, EVENTS, INDEX_CHANNEL], (channel, payload) => {
    if (channel === INDEX_CHANNEL) return refreshIndex()
    const { from, hint } = JSON.parse(payload) as { from: string; hint?: Hint }
    if (from === self) return
    if (channel === EVENTS) onEvents()
    else if (hint) onHint(hint)
  })
  const index = setInterval(refreshIndex, INDEX_MILLISECONDS)
  index.unref()

  // What comes shortly after a message gathers for the next: a busy process sends fifty a second, not one for each commit,
  // which took it more statements than the commits themselves.
  let gathered: Committed[] = []
  let underWay = false
  const send = async (): Promise<void> => {
    underWay = true
    while (gathered.length > 0) {
      const told = gathered
      gathered = []
      const messages: (readonly [string, string])[] = told.flatMap(({ hints }) =>
        hints.map((hint) => [HINTS, JSON.stringify({ from: self, hint })] as const),
      )
      if (told.some(({ events }) => events)) messages.push([EVENTS, JSON.stringify({ from: self })])
      await store.database
        .query(everywhere, {
          name: 'tell',
          // A NOTIFY is a commit; there is nothing in it that would be missed after a crash, so it waits for no disk.
          text:
            "select set_config('synchronous_commit', 'off', true), pg_notify(channel, payload) " +
            'from unnest($1::text[], $2::text[]) as told(channel, payload)',
          values: [messages.map(([channel]) => channel), messages.map(([, payload]) => payload)],
        })
        // Nothing is lost: events are found by polling, and browsers look for themselves.
        .catch(onFault)
      await new Promise((resolve) => setTimeout(resolve, GATHERING_MILLISECONDS))
    }
    underWay = false
  }
  return {
    tell(committed) {
      gathered.push(committed)
      if (!underWay) void send()
    },
    leave() {
      clearInterval(index)
      stopListening()
    },
  }
}
