/** SQLSTATE classes and socket errors that say the server is gone or starting, not that the statement is wrong. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = (error as { code?: string }).code ?? ''
  return (
    code.startsWith('08') ||
    ['25P03', '57P01', '57P02', '57P03', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT'].includes(code) ||
    /Connection terminated|Client has encountered a connection error|not queryable/.test(error.message)
  )
}

/** SQLSTATE 53100, disk_full: PostgreSQL found no room to write. */
export function isDiskFull(error: unknown): boolean {
  return (error as { code?: string }).code === '53100'
}

/** SQLSTATE 57014, query_canceled: by the server's own limit for a statement, or by us. */
export function isTimeOut(error: unknown): boolean {
  return (error as { code?: string }).code === '57014'
}
