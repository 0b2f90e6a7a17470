import type { Messages } from './zh'

export const en: Messages = {
  app: { update: 'A new version is ready', updateNow: 'Update' },
  line: {
    offline: 'Offline', unreachable: 'Server unreachable', sending: 'Sending', online: 'Online', idle: 'Not signed in',
    starting: 'Connecting', busy: 'Server busy', refused: 'Sync problem', stopped: 'Sync stopped', signIn: 'Sign in again', secret: 'Change password', locked: 'Locked', pending: 'Waiting for approval',
    waiting: '{n} waiting', sent: '{n} sent', refusedCount: '{n} refused', disputed: '{n} disputed',
  },
  tabs: { rounds: 'Rounds', record: 'Record', outbox: 'Outbox', device: 'Device' },
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
    queued: 'Waiting on this device: {n}. Sent by itself, without a sign-in.', needsNet: 'Signing in needs a signal; after that you can work without one, and unlock with your password.',
  },
  lock: {
    title: 'Device locked', go: 'Unlock', going: 'Unlocking…', now: 'Lock', other: 'Sign in as somebody else', online: 'Sign in with the server',
    why: 'Everything is kept, and what waits is still sent. Unlocking works without a signal.',
    wrong: 'Wrong password. Tries left: {n}. After the last, the data cached on this device is destroyed; waiting records are not affected.',
    hours: 'The last sign-in with the server is too long ago. Sign in where there is a signal.', gone: 'Too many wrong passwords: the data cached on this device is destroyed. Waiting records are still sent. Sign in with the server.',
    destroyed: 'Too many wrong passwords for {number} on this device: the cached data is destroyed. Waiting records are still sent.',
  },
  secret: {
    title: 'Change password', must: 'This password was set by an administrator. Change it to one that only you know.', old: 'Old', fresh: 'New', again: 'New, again', go: 'Change', going: 'Changing…',
    rule: 'At least 8 signs; of digits alone 6 or more, not repeated or in sequence, and not your number.', needOld: 'Enter the old password', needNew: 'The new one is too short', needOther: 'Old and new are the same', needSame: 'The two do not match',
    done: 'Password changed',
  },
  waitingFor: {
    title: 'Awaiting approval', lead: 'This device is enrolled. An administrator has to approve it before it can be used.', print: 'Fingerprint of this device', compare: 'The administrator compares: the fingerprint on his screen must be the same as this one.',
    waits: 'It goes on by itself once approved.', ask: 'Ask now', again: 'Enrol again',
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
  form: {
    title: 'Record', none: 'No forms yet. They come by themselves when there is a signal.', new: 'New', standing: 'On this device', begun: 'half filled', needed: 'needed', between: '{min}–{max}', yes: 'Yes', no: 'No', now: 'Now',
    choose: 'Choose', search: 'Name, number, code', nothing: 'Nothing found', clear: 'Clear', add: 'Add: {what}', remove: 'Remove: {what}', officer: 'officer', save: 'Record', sign: 'Sign and record', kept: 'Recorded: {what}',
    forget: 'Discard', forgetAsk: 'Discard what was entered?', next: 'Next', count: '{n} records', gone: 'This record or form is not on this device', waits: 'The server has not answered the step before; wait for it.',
    confirm: 'This needs a second factor on line; do it at a desk.', elsewhere: 'Enter this at a desk.',
    words: { at: 'at', by: 'by', officer: 'officer', officers: 'officers', posts: 'posts', note: 'note', step: 'step', state: 'state', zh: 'Chinese', en: 'English' },
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
    stopped: 'Sync has stopped. Do not clear this device; tell the administrator.', signInFirst: 'Sign in to see what the records say.', unlockFirst: 'Unlock to see what the records say.', latest: 'The latest {n}', code: 'code {code}',
    alarm: {
      roots: 'The server has shown two different roots for one log of {held} entries. Tell the auditor.', proof: "The server's proof does not hold: its log ({shown} entries) does not go on from the one that this device has seen ({held}). Tell the auditor.",
      refused: 'The server refuses to prove that its log ({shown} entries) is the one that this device has seen ({held}). Tell the auditor.', goOn: 'Go on with sync', goOnAsk: 'Only when the auditor agrees. The device keeps to the log that it has witnessed, and stops again when anything is wrong.',
      told: 'The server was told.', kept: 'Records are still kept on this device; they are not sent for now.',
    },
  },
  ops: {
    open: 'Round opened · {place}', close: 'Round closed · {place}', record: 'Visit · {place}', step: '{kind} · {verb}',
    unknownPlace: 'unknown place', sealed: 'sealed: only the server can read it',
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
    'signoff.alone': 'signed by an auxiliary alone; a police officer must co-sign', 'attachment.missing': 'a file has not arrived yet',
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
