// The hospital as `npm start` runs it, in a process of its own, without building the portals: a bundler's memory would
// count as the server's.
import { readConfig } from '@carespine/kit/config'
import { startHospital } from '@carespine/server/hospital-server'

const config = readConfig(process.env)
const hospital = await startHospital(config, { ownerUrl: config.databaseUrl ?? '' })
process.send?.({ url: hospital.url, hl7Port: hospital.hl7Port ?? 0 })

const close = async (): Promise<void> => {
  await hospital.close()
  process.exit(0)
}
process.on('SIGTERM', () => void close())
process.on('disconnect', () => void close())
// Ctrl-C reaches the whole group; the bench decides in which order things end.
process.on('SIGINT', () => undefined)
