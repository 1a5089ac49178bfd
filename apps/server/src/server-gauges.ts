import { statfs } from 'node:fs/promises'
import { backlog } from '@carespine/bus/backlog'
import type { GaugeGroup } from '@carespine/kit/metrics'
import type { Sockets } from '@carespine/kit/sockets'
import type { Store } from '@carespine/store/store'

/** What an operator watches of the server itself. Numbers of the database are the same from every process on it. */
export function serverGauges(of: { store: Store; sockets(): Sockets | undefined; dataFolder?: string }): GaugeGroup[] {
  const { database, keyring } = of.store
  return [
    {
      help: {
        carespine_database_up: '1 when the database answers',
        carespine_database_connections: 'Connections of this process to the database',
        carespine_database_connections_idle: 'Those that nobody uses at the moment',
        carespine_database_waiting: 'Statements of this process that wait for a connection',
      },
      read: async () => {
        const { open, idle, waiting } = database.connections
        return {
          carespine_database_up: (await database.isReachable()) ? 1 : 0,
          carespine_database_connections: open,
          carespine_database_connections_idle: idle,
          carespine_database_waiting: waiting,
        }
      },
    },
    {
      help: {
        carespine_keys_usable: '1 while this process may use the data keys it holds',
        carespine_keys_answering: '1 when the key-encryption key opened and wrapped what it was last asked for',
      },
      read: async () => ({ carespine_keys_usable: keyring.isOpen ? 1 : 0, carespine_keys_answering: keyring.fault === undefined ? 1 : 0 }),
    },
    {
      help: {
        carespine_events_waiting: 'Events that wait for a consumer',
        carespine_events_oldest_seconds: 'Age of the oldest event that waits',
        carespine_dead_letters: 'Events that a consumer could not handle, and that nobody replayed',
      },
      read: async () => {
        const { waiting, oldestSeconds, dead } = await backlog(database)
        return { carespine_events_waiting: waiting, carespine_events_oldest_seconds: oldestSeconds, carespine_dead_letters: dead }
      },
    },
    {
      help: {
        carespine_sockets: 'Browsers connected to this process',
        carespine_data_free_bytes: 'Room on the disk that holds the data folder and its database',
      },
      read: async () => {
        const disk = of.dataFolder === undefined ? undefined : await statfs(of.dataFolder)
        return { carespine_sockets: of.sockets()?.count(), carespine_data_free_bytes: disk && disk.bavail * disk.bsize }
      },
    },
  ]
}
