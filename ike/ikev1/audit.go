package ikev1

import "github.com/ipseclab/ipseclab/ike"

// auditStates are the outcomes among the states that the trace names.
var auditStates = map[string]ike.AuditState{
	"established": ike.AuditEstablished, "failed": ike.AuditFailed, "deleted": ike.AuditEnded, "expired": ike.AuditEnded,
}

// audit counts and reports an outcome of the main mode.
func (sa *SA) audit(state string, err error) {
	outcome, ok := auditStates[state]
	if !ok {
		return
	}
	s := &sa.env.Statistics
	switch outcome {
	case ike.AuditEstablished:
		s.MainModes++
	case ike.AuditFailed:
		s.NegotiationFailures++
		if ike.AuthenticationFault(err) {
			s.AuthenticationFailures++
		}
	}
	if report := sa.env.Config.Audit; report != nil {
		report(ike.Audit{
			State: outcome, Initiator: sa.initiator, Local: sa.local, Remote: sa.remote, Cookies: sa.cookies, Err: err,
			PeerID: sa.peerID, Method: sa.choice.Method, MainMode: sa.choice.Proposal, Lifetime: sa.choice.Lifetime,
		})
	}
}

// audit counts and reports an outcome of the quick mode.
func (q *quick) audit(state string, err error) {
	outcome, ok := auditStates[state]
	if !ok {
		return
	}
	s := &q.sa.env.Statistics
	if outcome == ike.AuditEstablished {
		s.QuickModes++
	} else {
		s.NegotiationFailures++
	}
	report := q.sa.env.Config.Audit
	if report == nil {
		return
	}
	a := ike.Audit{
		State: outcome, QuickMode: true, Initiator: q.initiator, Local: q.sa.local, Remote: q.sa.remote, Cookies: q.sa.cookies, Err: err,
		PeerID: q.sa.peerID, Method: q.sa.choice.Method, MainMode: q.sa.choice.Proposal, Lifetime: q.sa.choice.Lifetime, Selector: q.outbound,
	}
	if outcome == ike.AuditEstablished {
		a.Proposal, a.Group = q.choice.Proposal, q.choice.Group
		for i, t := range a.Proposal.Transforms {
			a.InSPIs, a.OutSPIs = append(a.InSPIs, q.own[t.Protocol]), append(a.OutSPIs, q.choice.PeerSPIs[i])
		}
	}
	report(a)
}
