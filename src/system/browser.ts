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

/**
 * Starts the browser on a URL, with an argument list and never through a shell. `BROWSER` names a program of
 * one's own. Resolves with whether it started; what becomes of it is nobody's business here.
 */
export function openBrowser(url: string, facts: BrowserFacts): Promise<boolean> {
  const [program, ...args] = browserCommand(url, facts)
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'ignore', detached: true, shell: false, windowsHide: true })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}

/** The program and its arguments. */
export function browserCommand(url: string, { platform, env }: BrowserFacts): [string, ...string[]] {
  if (env.BROWSER !== undefined && env.BROWSER !== '') return [env.BROWSER, url]
  if (platform === 'darwin') return ['open', url]
  // The shell's own "start" would read & and % in the URL.
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler', url]
  return ['xdg-open', url]
}
