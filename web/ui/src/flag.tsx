import { Badge, VisuallyHidden } from '@mantine/core'
import { useTranslation } from 'react-i18next'

const looks: Readonly<Record<string, { color: string; sign: string }>> = {
  LL: { color: 'critical', sign: '⇊' },
  HH: { color: 'critical', sign: '⇈' },
  L: { color: 'abnormal', sign: '↓' },
  H: { color: 'abnormal', sign: '↑' },
  A: { color: 'abnormal', sign: '!' },
  AA: { color: 'critical', sign: '!!' },
}

/** A result flag: a letter and an arrow, never colour alone. Nothing is shown for normal. */
export function Flag({ flag }: { flag: string | undefined }) {
  const { t } = useTranslation()
  const look = flag === undefined ? undefined : looks[flag]
  if (!look || flag === undefined) return null
  const critical = flag === 'LL' || flag === 'HH' || flag === 'AA'
  return (
    <Badge color={look.color} variant={critical ? 'filled' : 'outline'} radius="sm" size="md" title={t(`flag.${flag}`)} style={{ flexShrink: 0 }}>
      <bdi aria-hidden>
        {flag} {look.sign}
      </bdi>
      <VisuallyHidden>{t(`flag.${flag}`)}</VisuallyHidden>
    </Badge>
  )
}
