import neostandard, { plugins } from 'neostandard'

const { plugin: typescript } = plugins['typescript-eslint']

// CONTRIBUTING.md says who may import whom; what follows makes the lint run say it too.
const bans = {
  clients: {
    regex: '^(ioredis|pg|mongoose|mongodb|@fastify/redis|@fastify/postgres)(/|$)',
    message: 'Clients are passed in, never created here; only their types may be imported.',
    allowTypeImports: true
  },
  framework: {
    regex: '^(fastify|fastify-plugin|@fastify/(?!error$).+)(/|$)',
    message: 'A pure core knows nothing of Fastify; only its types may be imported.',
    allowTypeImports: true
  },
  ownName: {
    regex: '^fastify-headroom(/|$)',
    message: 'Inside the package, import ../shared; plugins meet through decorators.'
  },
  detour: {
    regex: '(^|/)(?!\\.\\.?/)[^/]+/\\.\\./|^\\./\\.\\./',
    message: 'Write the shortest path: a detour hides which folder is meant.'
  },
  otherTechnique: (depth) => ({
    regex: `^(\\.\\./){${depth}}(?!\\.\\./|shared/)`,
    message: 'A technique imports ../shared and packages, never another technique; types are fine.',
    allowTypeImports: true
  }),
  anyTechnique: (depth) => ({
    regex: `^(\\.\\./){${depth}}(?!\\.\\./|shared/)`,
    message: 'The kernel serves the techniques and imports none of them.'
  }),
  outsidePackage: (depth) => ({
    regex: `^(\\.\\./){${depth + 1}}`,
    message: 'What is outside plugins/ is not part of the package.'
  }),
  insides: (depth) => ({
    regex: `^(\\.\\./){${depth}}(plugins|dist|build)(/|$)`,
    message: 'Import fastify-headroom or one of its subpaths, as a user would.'
  })
}

/** Forbids static imports, re-exports and `import()` alike; `import()` has no type-only form. */
function forbid (...rules) {
  return {
    '@typescript-eslint/no-restricted-imports': ['error', { patterns: rules }],
    'no-restricted-syntax': ['error', ...rules.map(({ regex, message }) => ({
      // A selector's regular expression ends at its first slash, escaped or not.
      selector: `ImportExpression > Literal[value=/${regex.replaceAll('/', '\\u002F')}/]`,
      message
    }))]
  }
}

// Where `../..` leads depends on how deep the importing file lies, so each depth has its own rule.
const filesAt = (folder, depth) => `${folder}/${'*/'.repeat(depth)}*.ts`

const everywhere = (depth) => [bans.clients, bans.ownName, bans.detour, bans.outsidePackage(depth)]

const insidePackage = [
  { files: ['plugins/*.ts'], rules: forbid(...everywhere(0)) },
  ...[1, 2, 3].flatMap((depth) => [
    {
      files: [filesAt('plugins', depth)],
      rules: forbid(...everywhere(depth), bans.otherTechnique(depth), bans.framework)
    },
    {
      files: [filesAt('plugins/shared', depth - 1)],
      rules: forbid(...everywhere(depth), bans.anyTechnique(depth))
    }
  ]),
  {
    files: ['plugins/*/index.ts'],
    ignores: ['plugins/shared/'],
    rules: forbid(...everywhere(1), bans.otherTechnique(1))
  }
]

const asItsUsers = ['example-app', 'bench', 'test/composition'].flatMap((folder) =>
  [0, 1, 2, 3].map((depth) => ({
    files: [filesAt(folder, depth)],
    rules: forbid(bans.detour, bans.insides(folder.split('/').length + depth))
  })))

export default [
  ...neostandard({ ts: true, ignores: ['dist/', 'build/', '.tap/', 'coverage/'] }),
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': typescript },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // `void` marks a promise that is left to itself on purpose.
      'no-void': ['error', { allowAsStatement: true }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-array-delete': 'error',
      '@typescript-eslint/no-floating-promises': ['error', {
        // tap waits for its own subtests.
        allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }]
      }],
      '@typescript-eslint/no-for-in-array': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-misused-spread': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/restrict-plus-operands': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', {
        considerDefaultExhaustiveForUnions: true
      }]
    }
  },
  ...insidePackage,
  ...asItsUsers
]
