/** A command line in one text, as a shell would split it; what needs a shell to be understood ends it. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  const pattern = /\s*(?:((?:[^\s'"\\;|&()<>`]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)|([;|&()<>`]))/gsy
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, word] = match
    if (word === undefined) break
    words.push(word.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs, unquoted))
  }
  return words
}

function unquoted(_whole: string, single?: string, double?: string, escaped?: string): string {
  return single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? ''
}

/** The name of a program in a path to it, without what platforms add to it. */
export function programName(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
  return name.toLowerCase().replace(/\.(?:exe|cmd|bat|ps1|[cm]?js|[cm]?ts|py|sh)$/, '')
}

/** A package in a specifier of a package runner: without registry and version. */
export function packageName(specifier: string): string {
  const plain = specifier.replace(/^(?:npm|jsr):\/?/, '')
  const end = plain.search(/.[@=[<>~!]/)
  return (end < 0 ? plain : plain.slice(0, end + 1)).replace(/(?<=.\/[^/]+)\/.*$/s, '').toLowerCase()
}
