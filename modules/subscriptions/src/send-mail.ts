import type { Bundle } from '@carespine/fhir/resource'
import { createTransport } from 'nodemailer'
import { NotTaken } from './reach-endpoint.ts'

export interface MailSettings {
  /** `smtp://user:password@host:587` or `smtps://…`. */
  url: string
  from: string
  /** `required`: not a word without TLS. */
  tls: 'required' | 'optional'
  /** Whether whole resources may be sent by mail. */
  content: 'no-resources' | 'resources'
}

export interface Mail {
  to: string
  subject: string
  text: string
  bundle: Bundle
  messageId: string
}

/** Sends one notification by mail. Throws `NotTaken` when the mail server does not take it. */
export async function sendMail({ url, from, tls }: MailSettings, { to, subject, text, bundle, messageId }: Mail, timeoutMilliseconds: number): Promise<void> {
  const { protocol, hostname, port, username, password } = new URL(url)
  const isSecure = protocol === 'smtps:'
  const transport = createTransport({
    host: hostname,
    port: port === '' ? (isSecure ? 465 : 587) : Number(port),
    secure: isSecure,
    requireTLS: tls === 'required',
    ignoreTLS: false,
    ...(username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    connectionTimeout: timeoutMilliseconds,
    greetingTimeout: timeoutMilliseconds,
    socketTimeout: timeoutMilliseconds,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  try {
    await transport.sendMail({
      from,
      to,
      subject,
      text,
      messageId: `<${messageId}@carespine>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
      attachments: [{ filename: 'notification.json', content: JSON.stringify(bundle), contentType: 'application/fhir+json' }],
    })
  } catch (error) {
    const { responseCode, code } = error as { responseCode?: number; code?: string }
    throw new NotTaken(responseCode === undefined ? `MAIL_${code ?? 'FAILED'}` : `SMTP_${responseCode}`)
  } finally {
    transport.close()
  }
}
