import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type Provider from 'oidc-provider'
import { TEST_CLIENT } from './logins.js'

/** A certified OpenID provider on 127.0.0.1 that logs everybody in at once. */
export interface OidcServer {
  readonly url: string
  /** Who logs in from now on. */
  logInAs(subject: string): void
  /** How many requests of each path have arrived. */
  readonly hits: Readonly<Record<string, number>>
  close(): Promise<void>
}

/** Options of {@link startOidcServer}. */
export interface OidcOptions {
  /** How long access tokens live. Default 3600. */
  readonly accessTokenSeconds?: number
}

/** Starts `oidc-provider` with PKCE, device flow, revocation, and rotation that detects reuse. */
export async function startOidcServer(options: OidcOptions = {}): Promise<OidcServer> {
  const { default: OidcProvider } = await import('oidc-provider')
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let subject = 'ada'
  const hits: Record<string, number> = {}
  const provider = new OidcProvider(url, {
    clients: [
      {
        client_id: TEST_CLIENT,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['http://127.0.0.1/callback'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true }),
    }),
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: false },
    },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    scopes: ['openid', 'email', 'offline_access'],
    ttl: {
      AccessToken: options.accessTokenSeconds ?? 3_600,
      AuthorizationCode: 60,
      DeviceCode: 60,
      Grant: 3_600,
      IdToken: 3_600,
      Interaction: 60,
      RefreshToken: 3_600,
      Session: 3_600,
    },
    interactions: {
      url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}`,
    },
  })
  provider.on('server_error', (_context: unknown, error: Error) => {
    throw error
  })
  const callback = provider.callback()
  server.on('request', (request, response) => {
    const [path = ''] = (request.url ?? '').split('?')
    hits[path] = (hits[path] ?? 0) + 1
    if (!path.startsWith('/interaction/')) {
      callback(request, response)
      return
    }
    consent(provider, request, response, subject).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  return {
    url,
    hits,
    logInAs: (name) => {
      subject = name
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Logs in and agrees to everything. */
async function consent(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  subject: string,
): Promise<void> {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: subject } })
    return
  }
  const grant =
    grantId === undefined
      ? new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
      : await provider.Grant.find(grantId)
  grant.addOIDCScope(params.scope)
  const result = { consent: { grantId: await grant.save() } }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
}
