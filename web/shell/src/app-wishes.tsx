import { Checkbox, List, Stack, Text } from '@mantine/core'
import type { Wish } from '@carespine/link-smart/contract'
import { useTranslation } from 'react-i18next'

/** What an app asks for, as a sentence for somebody who knows no FHIR. */
function useSentence(): (wish: Wish) => string {
  const { t, i18n } = useTranslation()
  return ({ kind, scope, type = '', level, reads, writes, filter }) => {
    if (kind === 'stay') return t('apps.stay')
    if (kind === 'identity') return t(scope === 'openid' ? 'apps.signIn' : 'apps.whoYouAre')
    const name = type === '*' ? 'all' : type
    const what = i18n.exists(`apps.type.${name}`) ? t(`apps.type.${name}`) : t('apps.otherType', { type })
    const deed = t(reads && writes ? 'apps.readsAndWrites' : writes ? 'apps.writes' : 'apps.reads', { what })
    const limit = filter ? t('apps.only', { filter: i18n.exists(`apps.filter.${filter}`) ? t(`apps.filter.${filter}`) : filter }) : ''
    return [deed, limit, level === 'user' ? t('apps.ofAll') : ''].filter((part) => part !== '').join(' ')
  }
}

/** What may be left out of what an app asks for. */
export function WishChoice({ wishes, chosen, onChange }: { wishes: readonly Wish[]; chosen: readonly string[]; onChange(scopes: string[]): void }) {
  const { t } = useTranslation()
  const sentence = useSentence()
  return (
    <Checkbox.Group label={t('apps.asksFor')} description={t('apps.leaveOut')} value={[...chosen]} onChange={onChange}>
      <Stack gap="xs" mt="sm">
        {wishes.map((wish) => (
          <Checkbox key={wish.scope} value={wish.scope} label={sentence(wish)} />
        ))}
      </Stack>
    </Checkbox.Group>
  )
}

/** What an app was allowed. */
export function WishList({ wishes }: { wishes: readonly Wish[] }) {
  const { t } = useTranslation()
  const sentence = useSentence()
  if (wishes.length === 0) return <Text size="sm">{t('apps.nothing')}</Text>
  return (
    <List size="sm" spacing={2}>
      {wishes.map((wish) => (
        <List.Item key={wish.scope}>{sentence(wish)}</List.Item>
      ))}
    </List>
  )
}
