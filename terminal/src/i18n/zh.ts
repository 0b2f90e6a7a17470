export const zh = {
  app: { update: '新版本已就绪', updateNow: '更新' },
  line: {
    offline: '离线', unreachable: '连不上服务器', sending: '正在发送', online: '在线', idle: '未登录',
    starting: '正在连接', busy: '服务器忙', refused: '同步有问题', stopped: '同步已停止', signIn: '需重新登录', secret: '需改密码', locked: '已锁定', pending: '等待批准',
    waiting: '待发 {n}', sent: '已送达 {n}', refusedCount: '被拒 {n}', disputed: '有争议 {n}',
  },
  tabs: { rounds: '巡视', record: '记录', outbox: '待发箱', device: '本机' },
  common: {
    comma: '、', back: '返回', cancel: '取消', language: '语言', noServer: '没有连上服务器，请到有信号处再试',
    failed: '没有成功：{why}', waitMinutes: '请 {n} 分钟后再试',
  },
  enrol: {
    title: '登记本机', lead: '向管理员要一次性登记码，三十分钟内有效。', code: '登记码', codeHint: 'XXXX-XXXX-XXXX',
    label: '本机名称', labelHint: '如 PDA-07', go: '登记', going: '正在登记…',
    key: '本机将生成密钥。密钥留在本机，任何人都读不出来。',
    insecure: '此页面不是安全连接（HTTPS），浏览器不提供密钥功能，无法登记。',
  },
  signIn: {
    title: '登录', number: '警号', secret: '密码', go: '登录', going: '正在登录…', again: '登录已到期。待发记录不受影响。',
    queued: '本机有 {n} 条待发记录，无须登录也会自动发送。', needsNet: '登录需要信号；登录后断网可继续工作，锁定后也可用密码解锁。',
  },
  lock: {
    title: '本机已锁定', go: '解锁', going: '正在解锁…', now: '锁定', other: '换人登录', online: '联网登录',
    why: '记录仍在，待发数据照常发送。没有信号也可以解锁。',
    wrong: '密码不正确，还可以试 {n} 次；用完后本机缓存的数据将被销毁，待发记录不受影响。',
    hours: '距上次联网登录已久，需要联网登录才能继续。', gone: '密码错误次数过多，本机缓存的数据已销毁。待发记录仍会发送。请联网登录。',
    destroyed: '{number} 的密码在本机多次输错，缓存的数据已销毁。待发记录仍会发送。',
  },
  secret: {
    title: '修改密码', must: '此密码由管理员设置。请先改成只有您自己知道的密码。', old: '原密码', fresh: '新密码', again: '再输一遍', go: '修改', going: '正在修改…',
    rule: '至少 8 位；纯数字须至少 6 位，不能是重复或连续的数字，也不能是警号。', needOld: '请输入原密码', needNew: '新密码太短', needOther: '新旧密码不能相同', needSame: '两次输入不一致',
    done: '密码已修改',
  },
  waitingFor: {
    title: '等待批准', lead: '本机已登记，须由管理员批准后才能使用。', print: '本机指纹', compare: '请管理员核对：他屏幕上的指纹应与此处完全相同。',
    waits: '批准后自动继续。', ask: '立即询问', again: '重新登记',
  },
  rounds: {
    title: '巡视', open: '进行中', start: '开始巡视', go: '继续', wards: '选择监区', none: '还没有监区数据。有信号时会自动取来。',
    stops: '{n} 个点位', cells: '{n} 间监室', walked: '{done}/{all}', since: '{time} 开始', last: '上次 {time}',
    never: '本机无近期记录', recent: '最近结束', completed: '走完', interrupted: '中断', refused: '被拒绝',
  },
  round: {
    close: '结束巡视', readTag: '读标签', typeTag: '输入标签号',
    reading: '靠近标签即可', readerOff: '未能打开读卡器，请输入标签号', next: '下一处', notYet: '未到', unfinished: '未填完',
    closed: '本轮已结束', notHere: '这一轮由另一终端或另一民警开始', gone: '找不到这一轮巡视', elsewhere: '该标签属于「{place}」，不在本轮', unknownTag: '标签 {uid} 未登记。请点选所在点位，再读一次。',
    recorded: '已记录：{place}', differs: '点得 {counted}，名册 {register}', differsToast: '{place}：点得 {counted} 人，名册 {register} 人', persons: '{n} 人', times: '{n} 次', refused: '被拒绝',
    checkpoint: '检查点', cell: '监室', refusedRound: '服务器拒绝了这一轮：{why}',
  },
  tag: {
    title: '标签号', hint: '标签牌上的编号', use: '使用', read: '标签 {uid}', at: '{time} 读取', none: '没有标签可读',
    noneAt: '{time} · 未读标签，须写明原因', again: '重读', foreign: '未登记在此处，将照实记录并标注',
  },
  stop: {
    headcount: '人数', erase: '退格', response: '反应', observation: '所见', note: '说明', addNote: '加说明',
    noteNeeded: '必须写明', noteHint: '写下看到的情况', noteTagless: '写明为什么没有标签可读', save: '记录', saving: '记录 · {n} 秒后自动', change: '改一下',
    missing: '还缺：{what}', earlier: '本轮已记录：{what}', tooMany: '最多 {n} 人',
    need: { tag: '标签', headcount: '人数', response: '反应', observation: '所见', note: '说明' },
  },
  form: {
    title: '记录', none: '还没有表单。有信号时会自动取来。', new: '新建', standing: '本机已有', begun: '填了一半', needed: '必填', between: '{min}–{max}', yes: '是', no: '否', now: '现在',
    choose: '选择', search: '姓名、编号、名称', nothing: '没有找到', clear: '清除', add: '添加{what}', remove: '删除{what}', officer: '民警', save: '记录', sign: '签认并记录', kept: '已记录：{what}',
    forget: '不要了', forgetAsk: '丢弃已填写的内容？', next: '下一步', count: '{n} 条', gone: '本机没有这条记录或表单', waits: '上一步尚未得到服务器答复，请稍候再办下一步。',
    confirm: '此项须以第二因素联网确认，请在电脑端办理。', elsewhere: '此项请在电脑端填写。',
    words: { at: '时间', by: '经办', officer: '民警', officers: '民警', posts: '岗位', note: '说明', step: '步骤', state: '状态', zh: '中文', en: '英文' } as Record<string, string>,
  },
  responses: { spoke: '有应答', moving: '有动作', breathing: '有呼吸', none: '无反应' },
  observations: {
    asleep: '就寝', calm: '平静', talking: '交谈', low_mood: '情绪低落', agitated: '情绪激动', dispute: '争执', unwell: '身体不适', damage: '设施损坏', other: '其他',
  },
  close: {
    title: '结束巡视', summary: '{ward} · {time} 开始', walked: '已巡', visits: '记录', left: '未巡', all: '全部点位已巡到。', result: '结果',
    completed: '走完', interrupted: '中断', reason: '中断原因', reasonHint: '为什么没有走完',
    leftWarning: '还有 {n} 处未巡。选「走完」会如实带着这些缺口上报。',
    sign: '签认', session: '以登录身份签认', sessionWho: '{name} · {number}',
    face: '人脸核验', faceOff: '尚未启用。本次签认将标注为“登录身份”。', go: '签认并结束', needResult: '请选择结果', needReason: '请写中断原因', unfinished: '{n} 处填了一半，尚未记录。',
  },
  outbox: {
    title: '待发箱', sendNow: '立即发送', empty: '还没有记录。', others: '另有 {n} 条其他民警的记录待发，内容不显示。',
    contact: '上次与服务器通信：{time}', noContact: '尚未与服务器通信', nextTry: '{time} 再试', kept: '记录都保存在本机，联网后自动发送，每条只算一次。',
    stopped: '同步已停止。请勿清除本机数据，请告知管理员。', signInFirst: '登录后可查看记录内容。', unlockFirst: '解锁后可查看记录内容。', latest: '显示最近 {n} 条', code: '代码 {code}',
    alarm: {
      roots: '服务器对同一长度的日志（{held} 条）给出了两个不同的根。请告知审计员。', proof: '服务器的证明不成立：其日志（{shown} 条）不是本机见过的日志（{held} 条）的延续。请告知审计员。',
      refused: '服务器不肯证明其日志（{shown} 条）与本机见过的（{held} 条）一致。请告知审计员。', goOn: '继续同步', goOnAsk: '仅在审计员同意后继续。本机仍以自己见证的日志为准，再有不符会再次停止。',
      told: '已报告服务器。', kept: '记录照常保存在本机，暂不发送。',
    },
  },
  ops: {
    open: '开始巡视 · {place}', close: '结束巡视 · {place}', record: '巡视 · {place}', step: '{kind} · {verb}',
    unknownPlace: '未知点位', sealed: '内容已封存，仅服务器可读',
  },
  status: {
    waiting: '待发', applied: '已送达', merged: '已送达，与他人的修改合并', held: '服务器已收存，等待所依赖的内容', escrowed: '已交托管，待领导处置', conflict: '有争议：服务器已有更新，两者都保留', rejected: '被拒绝', quarantined: '服务器读不懂，原件已封存，请上报',
  },
  marks: {
    'record.late': '补录较晚', 'auxiliary.alone': '仅辅警巡视，须民警补签', 'place.outside_round': '不在本次巡视监区内',
    'round.not_open': '巡视已结束或由另一终端开始', 'tag.none': '未读到标签', 'tag.foreign': '标签不属于该处', 'tag.typed': '标签号为手工输入',
    'chain.gap': '此前编号尚有缺失', 'scope.outside': '不在您的责任范围内', 'authority.unproven': '权限仅有设备时间为证',
    'dependency.missing': '所依赖的内容逾期未到', 'session.over': '采集时登录已结束', 'round.unknown': '所属巡视未送达',
    'cell.not_looked': '未查看监室', 'headcount.differs': '人数与在册不符', 'response.none': '监室内无任何反应',
    'signoff.alone': '仅辅警签认，须民警补签', 'attachment.missing': '附件尚未送达',
  } as Record<string, string>,
  posts: {
    INT: '接待收押', PAT: '巡控', DISC: '管教', MED: '医务', AUX: '辅警', LEAD: '值班领导', DIR: '所长', AUD: '审计', PROC: '驻所检察', ADM: '管理员',
    CASE: '办案单位', CITY: '市局值班',
  } as Record<string, string>,
  device: {
    title: '本机', officer: '民警', posts: '岗位', facility: '单位', label: '本机名称', terminal: '终端编号', incarnation: '第 {n} 代',
    storage: '存储保护', persisted: '浏览器不会自行清除', notPersisted: '可能被清除，请装到桌面', head: '见证的日志', headValue: '{size} 条 · 第 {epoch} 纪元',
    signOut: '退出登录', signOutAsk: '退出后，待发的 {n} 条记录仍会自动发送。', signOutNone: '没有待发记录。', signIn: '重新登录', tagReader: '读卡器',
    nfc: 'NFC', typed: '手工输入',
  },
}

export type Messages = typeof zh
