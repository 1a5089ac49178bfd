import { existsSync, rmSync } from 'node:fs'
import type { Config } from '@carespine/kit/config'
import type { Registry } from '@carespine/kit/runtime'
import { type KeyEncryption, keyFile, KeyServiceFault, keysInEnvironment, keysInFile, makeKeyFile, WrongKeyEncryptionKey } from '@carespine/store/key-encryption'
import { indexKeyAt } from '@carespine/store/key-shelf'
import { migrate } from '@carespine/store/migrate'
import { Store } from '@carespine/store/store'
import { VaultKeys } from '@carespine/store/vault-keys'
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

/** What opens the keys of the database. Without a setting it is a file in the data folder, made unless it is there. */
export function keyEncryptionOf({ kek, dataFolder }: Pick<Config, 'kek' | 'dataFolder'>): KeyEncryption {
  if (kek === undefined) return keysInFile(keyFile(dataFolder))
  if ('text' in kek) return keysInEnvironment(kek.text)
  return 'file' in kek ? keysInFile(kek.file) : new VaultKeys(kek)
}

const missing = (file: string): Error =>
  new Error(`This database was made with a key-encryption key that is not here. Set CARESPINE_KEK or CARESPINE_KEK_FILE, or put the file at ${file}.`)

/**
 * Brings the database up to date and opens the record in it. Says in one line when the key is not the one it was made with,
 * before anything is changed. A new key is made for a new database only.
 */
export async function openStore(config: Config, options: OpenOptions): Promise<{ store: Store; applied: string[] }> {
  const { ownerUrl: url, registry, now, connections, onMigration: onProgress } = options
  const known = await indexKeyAt(url)
  const file = keyFile(config.dataFolder)
  if (known && config.kek === undefined && !existsSync(file)) throw missing(file)
  const isNew = config.kek === undefined && makeKeyFile(file)
  try {
    const kek = keyEncryptionOf(config)
    if (known) await kek.unwrap(known, 'index-key')
    const applied = await migrate(url, migrationSets(registry.modules), { ...(onProgress ? { onProgress } : {}) })
    const store = await Store.open({ url, kek, now, governed: registry.governed, validation: config.validation, ...(connections === undefined ? {} : { connections }) })
    return { store, applied }
  } catch (error) {
    if (error instanceof KeyServiceFault) throw new Error(`${error.message}. Without it the record cannot be opened; nothing was changed.`)
    if (!(error instanceof WrongKeyEncryptionKey)) throw error
    // Another process made its key first.
    if (isNew) {
      rmSync(file)
      throw missing(file)
    }
    throw new Error(`The key-encryption key in ${placeOf(config)} is not the one this database was made with. Give the one that the other processes have, or that was backed up.`)
  }
}

function placeOf({ kek, dataFolder }: Config): string {
  if (kek === undefined) return keyFile(dataFolder)
  return 'url' in kek ? `the key service at ${kek.url}` : 'CARESPINE_KEK or CARESPINE_KEK_FILE'
}
