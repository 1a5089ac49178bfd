import { existsSync, rmSync } from 'node:fs'
import type { Config } from '@carespine/kit/config'
import type { Registry } from '@carespine/kit/runtime'
import { keyEncryptionKey, keyFile, WrongKeyEncryptionKey } from '@carespine/store/keys'
import { migrate } from '@carespine/store/migrate'
import { Store } from '@carespine/store/store'
import { migrationSets } from './modules.ts'

export interface OpenOptions {
  /** Owner of the database, for migrations. */
  ownerUrl: string
  registry: Registry
  now(): Date
  connections?: number
  /** Told of each file of SQL before it is applied. */
  onMigration?(file: string): void
}

/** Brings the database up to date and opens the record in it. Says in one line when the key is not the one it was made with. */
export async function openStore(config: Config, options: OpenOptions): Promise<{ store: Store; applied: string[] }> {
  const { ownerUrl: url, registry, now, connections, onMigration: onProgress } = options
  const applied = await migrate(url, migrationSets(registry.modules), { ...(onProgress ? { onProgress } : {}) })
  const file = keyFile(config.dataFolder)
  const wasThere = config.kek !== undefined || existsSync(file)
  const kek = keyEncryptionKey(config.dataFolder, config.kek)
  try {
    const store = await Store.open({ url, kek, now, governed: registry.governed, validation: config.validation, ...(connections === undefined ? {} : { connections }) })
    return { store, applied }
  } catch (error) {
    if (!(error instanceof WrongKeyEncryptionKey)) throw error
    // A key that was just made for a database that has one already opens nothing, and would be taken for the right one.
    if (!wasThere) rmSync(file)
    throw new Error(
      wasThere
        ? `The key-encryption key in ${config.kek === undefined ? file : 'CARESPINE_KEK or CARESPINE_KEK_FILE'} is not the one this database was made with. Give the one that the other processes have, or that was backed up.`
        : `This database was made with a key-encryption key that is not here. Set CARESPINE_KEK or CARESPINE_KEK_FILE, or put the file at ${file}.`,
    )
  }
}
