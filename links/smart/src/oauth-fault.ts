/** A "no" in the words of OAuth 2 (RFC 6749, section 5.2). */
export class OAuthFault extends Error {
  readonly error: string
  readonly status: 400 | 401 | 429
  readonly retryAfter: number | undefined

  constructor(error: string, description: string, { status = 400, retryAfter }: { status?: 400 | 401 | 429; retryAfter?: number } = {}) {
    super(description)
    this.error = error
    this.status = status
    this.retryAfter = retryAfter
  }
}

export const invalidClient = (description: string): OAuthFault => new OAuthFault('invalid_client', description, { status: 401 })
export const slowDown = (seconds: number): OAuthFault => new OAuthFault('temporarily_unavailable', 'Too many attempts. Wait as long as Retry-After says.', { status: 429, retryAfter: seconds })
