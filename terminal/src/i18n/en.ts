import type { Messages } from './zh'

export const en: Messages = {
  app: { update: 'A new version is ready', updateNow: 'Update' },
  line: {
    offline: 'Offline', unreachable: 'Server unreachable', sending: 'Sending', online: 'Online', idle: 'Not signed in',
    starting: 'Connecting', busy: 'Server busy', refused: 'Sync problem', stopped: 'Sync stopped', signIn: 'Sign in again',
    waiting: '{n} waiting', sent: '{n} sent', refusedCount: '{n} refused', disputed: '{n} disputed',
  },
  tabs: { rounds: 'Rounds', outbox: 'Outbox', device: 'Device' },
  common: {
    comma: ', ', back: 'Back', cancel: 'Cancel', language: 'Language', noServer: 'The server cannot be reached. Try again where there is a signal.',
    failed: 'Not done: {why}', waitMinutes: 'Try again in {n} min',
  },
  enrol: {
    title: 'Enrol this device', lead: 'Ask an administrator for a one-time code. It is good for thirty minutes.', code: 'Code', codeHint: 'XXXX-XXXX-XXXX',
    label: 'Label', labelHint: 'such as PDA-07', go: 'Enrol', going: 'Enrolling…',
    key: 'The device makes its own key. It stays here; nobody can read it out.',
    insecure: 'This page is not on a secure connection (HTTPS): the browser offers no keys, so the device cannot be enrolled.',
  },
  signIn: {
    title: 'Sign in', number: 'Number', secret: 'Password', go: 'Sign in', going: 'Signing in…', again: 'Your sign-in has ended. Waiting records are not affected.',
    queued: 'Waiting on this device: {n}. Sent by itself, without a sign-in.', needsNet: 'Signing in needs a signal; after that you can work without one.',
  },
  rounds: {
    title: 'Rounds', open: 'Under way', start: 'Start round', go: 'Continue', wards: 'Choose a ward', none: 'No wards yet. They come by themselves when there is a signal.',
    stops: '{n} stops', cells: '{n} cells', walked: '{done}/{all}', since: 'since {time}', last: 'last {time}',
    never: 'none lately', recent: 'Lately closed', completed: 'completed', interrupted: 'interrupted', refused: 'refused',
  },
  round: {
    close: 'Close round', readTag: 'Read tag', typeTag: 'Type tag id',
    reading: 'Hold to a tag', readerOff: 'The reader could not be switched on; type the tag id', next: 'Next', notYet: 'not yet', unfinished: 'unfinished',
    closed: 'This round is closed', notHere: 'Another terminal or officer began this round', gone: 'This round cannot be found', elsewhere: 'That tag belongs to “{place}”, which is not on this round', unknownTag: 'Tag {uid} is not registered. Choose the stop you are at and read it again.',
    recorded: 'Recorded: {place}', differs: 'counted {counted}, register {register}', differsToast: '{place}: {counted} counted, {register} in the register', persons: 'count {n}', times: '{n} times', refused: 'refused',
    checkpoint: 'Checkpoint', cell: 'Cell', refusedRound: 'The server refused this round: {why}',
  },
  tag: {
    title: 'Tag id', hint: 'The number on the plate', use: 'Use', read: 'Tag {uid}', at: 'read {time}', none: 'There is no tag',
    noneAt: '{time} · no tag read; say why', again: 'Again', foreign: 'Not registered here; it is recorded as read, and marked',
  },
  stop: {
    headcount: 'Head count', erase: 'Erase', response: 'Response', observation: 'Observed', note: 'Note', addNote: 'Add a note',
    noteNeeded: 'needed', noteHint: 'Write what you saw', noteTagless: 'Say why there was no tag to read', save: 'Record', saving: 'Record · by itself in {n} s', change: 'Change',
    missing: 'Missing: {what}', earlier: 'Recorded on this round: {what}', tooMany: '{n} at most',
    need: { tag: 'tag', headcount: 'head count', response: 'response', observation: 'observation', note: 'note' },
  },
  responses: { spoke: 'Spoke', moving: 'Moving', breathing: 'Breathing', none: 'None' },
  observations: {
    asleep: 'Asleep', calm: 'Calm', talking: 'Talking', low_mood: 'Low mood', agitated: 'Agitated', dispute: 'Dispute', unwell: 'Unwell', damage: 'Damage', other: 'Other',
  },
  close: {
    title: 'Close round', summary: '{ward} · since {time}', walked: 'walked', visits: 'recorded', left: 'left out', all: 'Every stop was walked.', result: 'Result',
    completed: 'Completed', interrupted: 'Interrupted', reason: 'Reason', reasonHint: 'Why the round was not finished',
    leftWarning: 'Stops not walked: {n}. “Completed” will be reported with these gaps.',
    sign: 'Sign-off', session: 'Signed by your sign-in', sessionWho: '{name} · {number}',
    face: 'Face verification', faceOff: 'Not set up yet. This sign-off will be marked “sign-in”.', go: 'Sign and close', needResult: 'Choose a result', needReason: 'Write the reason', unfinished: 'Half-filled and not recorded: {n}.',
  },
  outbox: {
    title: 'Outbox', sendNow: 'Send now', empty: 'Nothing recorded yet.', others: 'Waiting for other officers: {n}. Their content is not shown.',
    contact: 'Server last answered: {time}', noContact: 'The server has not answered yet', nextTry: 'next try {time}', kept: 'Everything is kept on this device and sent by itself once there is a signal; each record counts once.',
    stopped: 'Sync has stopped. Do not clear this device; tell the administrator.', signInFirst: 'Sign in to see what the records say.', latest: 'The latest {n}', code: 'code {code}',
    alarm: { shorter: "The server's log is shorter than this device has seen ({shown} < {held}). Tell the auditor.", differs: "The server's log differs from what this device has seen (entry {held}). Tell the auditor." },
  },
  ops: {
    open: 'Round opened · {place}', close: 'Round closed · {place}', record: 'Visit · {place}',
    unknownPlace: 'unknown place',
  },
  status: {
    waiting: 'waiting', applied: 'sent', merged: 'sent; merged with what others changed', held: 'in the server\'s custody until what it needs has come', escrowed: 'in escrow, for a leader to decide', conflict: 'disputed: the server had moved on; both are kept', rejected: 'refused', quarantined: 'the server could not read it; the original is kept; report it',
  },
  marks: {
    'record.late': 'entered late', 'auxiliary.alone': 'by an auxiliary alone; a police officer must co-sign', 'place.outside_round': 'not in the ward of this round',
    'round.not_open': "the round was over, or another terminal's", 'tag.none': 'no tag was read', 'tag.foreign': 'the tag does not belong here', 'tag.typed': 'the tag id was typed',
    'chain.gap': 'earlier numbers are missing', 'scope.outside': 'outside the wards you are assigned to',
    'authority.unproven': "only this device's clock says that you still had the scope", 'dependency.missing': 'what it depends on did not come in time',
    'session.over': 'captured after the sign-in had ended', 'round.unknown': 'its round did not arrive',
    'cell.not_looked': 'the cell was not looked into', 'headcount.differs': 'the head count differs from the register', 'response.none': 'no response from the cell',
  },
  posts: {
    INT: 'desk', PAT: 'patrol', DISC: 'cell officer', MED: 'medic', AUX: 'auxiliary', LEAD: 'leader on duty', DIR: 'director', AUD: 'auditor', PROC: 'procuratorate', ADM: 'administrator',
    CASE: 'case organ', CITY: 'city duty',
  },
  device: {
    title: 'Device', officer: 'Officer', posts: 'Posts', facility: 'Facility', label: 'Label', terminal: 'Terminal', incarnation: 'incarnation {n}',
    storage: 'Storage', persisted: 'kept by the browser', notPersisted: 'the browser may clear it: install the app', head: 'Log witnessed', headValue: '{size} entries · epoch {epoch}',
    signOut: 'Sign out', signOutAsk: 'What waits ({n}) is still sent by itself.', signOutNone: 'Nothing is waiting.', signIn: 'Sign in again', tagReader: 'Tag reader',
    nfc: 'NFC', typed: 'typed',
  },
}
