import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeviceLogin } from './authorization/device.js'
import { DeviceLogins } from './authorization/device.js'
import type { IssuedTokens, StubAccount, TokenFamily } from './authorization/families.js'
import { TokenFamilies } from './authorization/families.js'
import type { TokenFault } from './authorization/faults.js'
import { sendFault } from './authorization/faults.js'
import { Grants } from './authorization/grants.js'

/** How a stub authorization server behaves. */
export interface StubAuthorizationServerOptions {
  /** A renewal gives a new refresh token. Default true. */
  readonly rotate?: boolean
  /** A spent refresh token that comes again revokes its whole family. Default true. */
  readonly detectReuse?: boolean
  /** How long access tokens live. Default 3600. */
  readonly accessTokenSeconds?: number
  /** Who logs in. Default `{subject: 'user-1', email: 'user@example.com'}`. */
  readonly account?: StubAccount
  /** How long every answer of the token endpoint takes, in milliseconds. Default 0. */
  readonly delayMs?: number
  /** Seconds between polls of the device flow. Default 5. */
  readonly deviceIntervalSeconds?: number
  /** Seconds until a device code is void. Default 600. */
  readonly deviceLifetimeSeconds?: number
  /** Answer errors of the token endpoint with status 200, as GitHub does. Default false. */
  readonly errorsWith200?: boolean
  /** Advertise, and send, the `iss` of the authorization response (RFC 9207). Default true. */
  readonly sendsIssuer?: boolean
  /** Where it says whose tokens they are. Default `id_token`. */
  readonly tellsAccount?: AccountPlace
  /** The system's time by default, in epoch milliseconds. */
  readonly nowMs?: () => number
}

/** Where an authorization server says whose tokens they are. */
export type AccountPlace = 'id_token' | 'userinfo' | 'nowhere'

/** One request, as it arrived. */
export interface StubRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  /** The form's or the JSON object's fields, and those of the query. */
  readonly fields: Readonly<Record<string, string>>
}

/** An authorization server that does what it is told, on a port of 127.0.0.1. */
export interface StubAuthorizationServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, also the issuer. */
  readonly url: string
  readonly port: number
  /** Every request since the start. */
  readonly requests: readonly StubRequest[]
  /** Requests to the token endpoint that wanted a renewal. */
  readonly renewals: readonly StubRequest[]
  /** Every login that was ever given tokens. */
  readonly families: readonly TokenFamily[]
  readonly deviceLogins: readonly DeviceLogin[]
  /** The most requests for renewals that were ever under way at once. */
  readonly mostConcurrentRenewals: number
  /** Tokens as a login would give. */
  issue(account?: StubAccount): IssuedTokens
  /** Faults of the next answers of the token endpoint, one each; after them it works again. */
  fail(...faults: readonly TokenFault[]): void
  /** Who logs in from now on; `undefined` denies. */
  logInAs(account: StubAccount | undefined): void
  /** Where it says whose tokens they are, from now on. */
  tellAccount(where: AccountPlace): void
  /** Status codes of the next answers of the userinfo endpoint, one each; after them it works again. */
  failUserinfo(...statuses: readonly number[]): void
  /** Approves (or, without an account, denies) a login of the device flow. */
  decideDevice(userCode: string, account?: StubAccount): void
  /** Waits until `count` renewals have been asked for. */
  renewalsAsked(count: number): Promise<void>
  close(): Promise<void>
}

/** Starts a stub authorization server. */
export async function startStubAuthorizationServer(
  options: StubAuthorizationServerOptions = {},
): Promise<StubAuthorizationServer> {
  const server = new Stub(options)
  await server.listen()
  return server
}

const DEFAULT_ACCOUNT: StubAccount = { subject: 'user-1', email: 'user@example.com' }

class Stub implements StubAuthorizationServer {
  readonly requests: StubRequest[] = []
  readonly renewals: StubRequest[] = []
  mostConcurrentRenewals = 0
  port = 0
  readonly #options: StubAuthorizationServerOptions
  readonly #families: TokenFamilies
  readonly #devices: DeviceLogins
  readonly #grants: Grants
  readonly #faults: TokenFault[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  readonly #watchers = new Set<() => void>()
  readonly #userinfoFaults: number[] = []
  #account: StubAccount | undefined
  #told: AccountPlace
  #concurrent = 0

  constructor(options: StubAuthorizationServerOptions) {
    this.#options = options
    this.#account = options.account ?? DEFAULT_ACCOUNT
    this.#families = new TokenFamilies({
      rotate: options.rotate ?? true,
      detectReuse: options.detectReuse ?? true,
      accessTokenSeconds: options.accessTokenSeconds ?? 3_600,
    })
    const nowMs = options.nowMs ?? (() => Date.now())
    this.#devices = new DeviceLogins(nowMs)
    this.#told = options.tellsAccount ?? 'id_token'
    this.#grants = new Grants({
      families: this.#families,
      devices: this.#devices,
      issuer: () => this.url,
      nowMs,
      namesAccount: () => this.#told === 'id_token',
    })
    this.#server = createServer({ requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy()
        else response.writeHead(599).end(`the stub failed: ${String(error)}`)
      })
    })
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get families(): readonly TokenFamily[] {
    return this.#families.all
  }

  get deviceLogins(): readonly DeviceLogin[] {
    return this.#devices.all
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => {
        this.port = (this.#server.address() as AddressInfo).port
        resolve()
      })
    })
  }

  issue(account: StubAccount = this.#account ?? DEFAULT_ACCOUNT): IssuedTokens {
    return this.#families.issue(account, 'stub-client', 'openid email')
  }

  fail(...faults: readonly TokenFault[]): void {
    this.#faults.push(...faults)
  }

  logInAs(account: StubAccount | undefined): void {
    this.#account = account
  }

  tellAccount(where: AccountPlace): void {
    this.#told = where
  }

  failUserinfo(...statuses: readonly number[]): void {
    this.#userinfoFaults.push(...statuses)
  }

  decideDevice(userCode: string, account?: StubAccount): void {
    this.#devices.decide(userCode, account)
  }

  renewalsAsked(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.renewals.length < count) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? '/', this.url)
    const fields = { ...Object.fromEntries(url.searchParams), ...(await readFields(message)) }
    const request = {
      method: message.method ?? '',
      path: url.pathname,
      headers: message.headers,
      fields,
    }
    this.requests.push(request)
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
      case '/.well-known/oauth-authorization-server':
        return json(response, 200, this.#metadata())
      case '/authorize':
        return this.#authorize(fields, response)
      case '/device_authorization':
        return this.#deviceAuthorization(fields, response)
      case '/token':
        return this.#token(request, response)
      case '/revoke':
        this.#families.revoke(fields.token ?? '')
        return json(response, 200, {})
      case '/userinfo':
        return this.#userinfo(request, response)
      default:
        return json(response, 404, { error: 'not_found' })
    }
  }

  #metadata(): object {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      device_authorization_endpoint: `${this.url}/device_authorization`,
      revocation_endpoint: `${this.url}/revoke`,
      ...(this.#options.tellsAccount === undefined ? {} : { userinfo_endpoint: `${this.url}/userinfo` }),
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: this.#options.sendsIssuer ?? true,
    }
  }

  #userinfo({ headers }: StubRequest, response: ServerResponse): void {
    const fault = this.#userinfoFaults.shift()
    const family = this.#families.familyOf(String(headers.authorization).replace(/^Bearer /, ''))
    if (fault !== undefined) json(response, fault, { error: 'no' })
    else if (family === undefined || this.#told === 'nowhere') json(response, 403, { error: 'forbidden' })
    else {
      const { subject, email, login } = family.account
      json(response, 200, { sub: subject, email, login })
    }
  }

  /** Somebody who is logged in already and says yes (or no) at once. */
  #authorize(fields: Readonly<Record<string, string>>, response: ServerResponse): void {
    const back = new URL(fields.redirect_uri ?? '')
    if (fields.state !== undefined) back.searchParams.set('state', fields.state)
    if (this.#options.sendsIssuer ?? true) back.searchParams.set('iss', this.url)
    if (this.#account === undefined) {
      back.searchParams.set('error', 'access_denied')
    } else {
      back.searchParams.set('code', this.#grants.codeFor(this.#account, fields, fields.client_id ?? ''))
    }
    response.writeHead(302, { location: back.href }).end()
  }

  #deviceAuthorization(fields: Readonly<Record<string, string>>, response: ServerResponse): void {
    const { deviceIntervalSeconds = 5, deviceLifetimeSeconds = 600 } = this.#options
    const login = this.#devices.begin(
      fields.client_id ?? '',
      fields.scope ?? '',
      deviceIntervalSeconds,
      deviceLifetimeSeconds,
    )
    json(response, 200, {
      device_code: login.deviceCode,
      user_code: login.userCode,
      verification_uri: `${this.url}/device`,
      verification_uri_complete: `${this.url}/device?user_code=${login.userCode}`,
      expires_in: deviceLifetimeSeconds,
      interval: deviceIntervalSeconds,
    })
  }

  async #token(request: StubRequest, response: ServerResponse): Promise<void> {
    const renewal = request.fields.grant_type === 'refresh_token'
    if (renewal) {
      this.renewals.push(request)
      for (const look of [...this.#watchers]) look()
      this.#concurrent += 1
      this.mostConcurrentRenewals = Math.max(this.mostConcurrentRenewals, this.#concurrent)
    }
    try {
      const fault = this.#faults.shift()
      if (fault !== undefined && (await sendFault(fault, response, this.port))) return
      const { delayMs = 0 } = this.#options
      const { status, body } = this.#grants.answerTo(request.fields)
      if (delayMs > 0) await sleep(delayMs)
      if (fault === 'answer_lost') response.destroy()
      else if (fault === 'truncated') truncate(response, body)
      else json(response, this.#options.errorsWith200 === true ? 200 : status, body)
    } finally {
      if (renewal) this.#concurrent -= 1
    }
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function truncate(response: ServerResponse, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length })
  response.write(text.slice(0, text.length / 2), () => response.destroy())
}

async function readFields(message: IncomingMessage): Promise<Record<string, string>> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  if (text === '') return {}
  if (!String(message.headers['content-type']).includes('json'))
    return Object.fromEntries(new URLSearchParams(text))
  const value = JSON.parse(text) as Record<string, unknown>
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, String(field)]))
}
