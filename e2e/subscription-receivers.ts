import { createServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createTcp, type Socket } from 'node:net'
import type { Bundle, Parameters, ParametersParameter } from '@carespine/fhir/resource'

export interface Received {
  headers: IncomingHttpHeaders
  text: string
  bundle: Bundle
}

/** A subscriber's own web server. `answer` says what it answers the next requests with. */
export async function receiver(port = 0) {
  const received: Received[] = []
  const state = { answer: 200, location: '' }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const text = Buffer.concat(parts).toString()
      received.push({ headers: request.headers, text, bundle: JSON.parse(text) as Bundle })
      response.writeHead(state.answer, state.location === '' ? {} : { location: state.location }).end()
    })
  })
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  const { port: given } = server.address() as { port: number }
  return { received, state, url: `http://127.0.0.1:${given}/hook`, close: () => new Promise((done) => server.close(done)) }
}

/** A mail server that takes every message: enough of RFC 5321. */
export async function mailbox() {
  const mails: { to: string[]; text: string }[] = []
  const server = createTcp((socket: Socket) => {
    let rest = ''
    let to: string[] = []
    let isData = false
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    say('220 mailbox')
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      rest += chunk.toString()
      for (;;) {
        const end = rest.indexOf(isData ? '\r\n.\r\n' : '\r\n')
        if (end < 0) return
        const line = rest.slice(0, end)
        rest = rest.slice(end + (isData ? 5 : 2))
        if (isData) {
          mails.push({ to, text: line })
          ;[to, isData] = [[], false]
          say('250 taken')
        } else if (/^EHLO/i.test(line)) say('250 mailbox')
        else if (/^RCPT TO:/i.test(line)) {
          to.push(/<(.*)>/.exec(line)?.[1] ?? '')
          say('250 ok')
        } else if (/^DATA/i.test(line)) {
          isData = true
          say('354 go on')
        } else if (/^QUIT/i.test(line)) {
          say('221 bye')
          socket.end()
        } else say('250 ok')
      }
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  return { mails, url: `smtp://127.0.0.1:${port}`, close: () => new Promise((done) => server.close(done)) }
}

export async function until<T>(found: () => T | undefined | false | Promise<T | undefined | false>, milliseconds = 15_000): Promise<T> {
  const end = Date.now() + milliseconds
  for (;;) {
    const value = await found()
    if (value) return value
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${found.toString()}`)
    await new Promise((done) => setTimeout(done, 25))
  }
}

const valuesOf = (parameters: readonly ParametersParameter[] | undefined, name: string): ParametersParameter[] => (parameters ?? []).filter((one) => one.name === name)

/** What a notification says, in short. */
export function told(bundle: Bundle) {
  const parameter = (bundle.entry?.[0]?.resource as Parameters | undefined)?.parameter
  return {
    type: valuesOf(parameter, 'type')[0]?.valueCode,
    status: valuesOf(parameter, 'status')[0]?.valueCode,
    numbers: valuesOf(parameter, 'notification-event').map(({ part }) => Number(valuesOf(part, 'event-number')[0]?.valueString)),
    focus: valuesOf(parameter, 'notification-event').flatMap(({ part }) => valuesOf(part, 'focus')[0]?.valueReference?.reference ?? []),
    resources: (bundle.entry ?? []).slice(1).map(({ resource }) => resource),
  }
}
