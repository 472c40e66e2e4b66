import { spawn } from 'node:child_process'

/** What the choice of a browser depends on. */
export interface BrowserFacts {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Where no browser can appear: over SSH, and on Linux without a display. */
export function canShowBrowser({ platform, env }: BrowserFacts): boolean {
  if (env.BROWSER !== undefined && env.BROWSER !== '') return true
  if (env.SSH_CONNECTION !== undefined || env.SSH_TTY !== undefined) return false
  if (platform === 'darwin' || platform === 'win32') return true
  return Boolean(env.DISPLAY) || Boolean(env.WAYLAND_DISPLAY)
}

/** A program that fails does so within this time, in milliseconds; one that still runs then is a browser. */
const FAILS_WITHIN_MS = 2_000

/**
 * Starts the browser on a URL, with an argument list and never through a shell. `BROWSER` names a program of
 * one's own. It inherits the environment without keymux's variables and those that are named, which may hold
 * secrets. Resolves, after 2 s at most, with whether it started and has not failed.
 *
 * @param hidden names of further variables to keep from it
 */
export function openBrowser(
  url: string,
  facts: BrowserFacts,
  hidden: Iterable<string> = [],
): Promise<boolean> {
  const [program, ...args] = browserCommand(url, facts)
  const env = browserEnv(facts.env, hidden)
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: 'ignore',
      detached: true,
      shell: false,
      windowsHide: true,
      env,
    })
    const timer = setTimeout(() => resolve(true), FAILS_WITHIN_MS)
    const end = (shown: boolean): void => {
      clearTimeout(timer)
      resolve(shown)
    }
    child.once('error', () => end(false))
    child.once('exit', (code) => end(code === 0))
    child.once('spawn', () => child.unref())
  })
}

/** What a browser may see of the environment. */
export function browserEnv(
  env: BrowserFacts['env'],
  hidden: Iterable<string>,
): Record<string, string | undefined> {
  const secret = new Set([...hidden].map((name) => name.toUpperCase()))
  const kept = Object.entries(env).filter(
    ([name]) => !(/^KEYMUX_/i.test(name) || secret.has(name.toUpperCase())),
  )
  return Object.fromEntries(kept)
}

/** The program and its arguments. */
export function browserCommand(url: string, { platform, env }: BrowserFacts): [string, ...string[]] {
  if (env.BROWSER !== undefined && env.BROWSER !== '') return [env.BROWSER, url]
  if (platform === 'darwin') return ['open', url]
  // The shell's own "start" would read & and % in the URL.
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler', url]
  return ['xdg-open', url]
}
