package trace

// Negotiation is a change of state of phase 1 or of a quick mode. Its outcomes,
// established and failed, explain themselves: what was offered, what was chosen,
// what was refused and why, and who has proved who he is.
type Negotiation struct {
	Exchange  string `json:"exchange"` // "main mode", "aggressive mode", "quick mode", or what comes between: "extended authentication", "mode config", "new group mode"
	State     string `json:"state"`    // started, established, failed, deleted, expired
	Role      string `json:"role"`     // initiator or responder
	Local     string `json:"local"`
	Remote    string `json:"remote"`
	CookieI   Hex    `json:"cookie_i"`
	CookieR   Hex    `json:"cookie_r"`
	MessageID uint32 `json:"message_id,omitempty"` // quick mode
	Selector  string `json:"selector,omitempty"`   // quick mode
	Chosen    string `json:"chosen,omitempty"`     // the proposal agreed on; the user, inner address or group
	Code      int    `json:"code,omitempty"`       // Windows error code of a failure (MS-ERREF, 138xx)
	Reason    string `json:"reason,omitempty"`

	// The offer of message 1 as this side judged it.
	Offered    []Alternative `json:"offered,omitempty"`    // in the order of the offer
	Omitted    int           `json:"omitted,omitempty"`    // alternatives that are not in Offered
	Accepted   []string      `json:"accepted,omitempty"`   // responder: what its policy accepts, in its order
	Preference string        `json:"preference,omitempty"` // responder: initiator's order or responder's order, whichever decides
	PFS        string        `json:"pfs,omitempty"`        // quick mode: none, or the group of its own exchange of keys
	Lifetime   Lifetimes     `json:"lifetime,omitzero"`

	// Phase 1.
	Authentication Authentication `json:"authentication,omitzero"`
	NAT            NATTraversal   `json:"nat,omitzero"` // of a quick mode: the explanation alone
}

// NATTraversal is what phase 1 has agreed on and found of NATs (RFC 3947).
type NATTraversal struct {
	Own     []string `json:"own,omitempty"`     // the versions that this side announces, in its order
	Peer    []string `json:"peer,omitempty"`    // those that the peer has announced
	Dialect string   `json:"dialect,omitempty"` // which version both sides speak
	Found   string   `json:"found,omitempty"`   // behind which ends there is a NAT: none, initiator, responder, both; left out: nobody has looked
	Why     string   `json:"why,omitempty"`     // why there is no traversal though both sides announced it
	// Explanation says in sentences why this version was chosen, by what a NAT was found, and what followed from
	// it; of a quick mode, which addresses a NAT has changed.
	Explanation []string `json:"explanation,omitempty"`
}

// Alternative is one way of protection that an offer leaves open, and what became of it.
type Alternative struct {
	Number    int    `json:"number"`              // of the proposal payload
	Transform string `json:"transform,omitempty"` // number of the transform payload; of a bundle one for each protocol: 1+2
	Proposal  string `json:"proposal"`
	Lifetime  string `json:"lifetime,omitempty"` // in the order and the form (TV, TLV) of the offer
	Verdict   string `json:"verdict"`            // one of the verdicts below
	Reason    string `json:"reason,omitempty"`
}

// Verdicts of alternatives.
const (
	Chosen     = "chosen"
	Acceptable = "acceptable" // responder: the policy has it, and another one is preferred
	Refused    = "refused"    // responder: the policy does not have it. Initiator: the peer refused the whole offer
	NotChosen  = "not chosen" // initiator: the responder took another one, and does not say why
	Unanswered = "unanswered" // initiator: nothing was chosen
)

// Lifetimes are how the lifetime of what was negotiated came about.
type Lifetimes struct {
	Offered string `json:"offered,omitempty"` // by the initiator
	Own     string `json:"own,omitempty"`     // responder: of the policy. Initiator: of RESPONDER-LIFETIME, if one came
	Kept    string `json:"kept,omitempty"`    // by this side
	Why     string `json:"why,omitempty"`
}

// Authentication is how the two sides of phase 1 prove who they are.
type Authentication struct {
	Method string `json:"method,omitempty"`
	Own    Proof  `json:"own,omitzero"`  // what this side shows
	Peer   Proof  `json:"peer,omitzero"` // what the peer shows, as this side judged it

	Requests  []string `json:"requests,omitempty"`  // the authorities that this side named in certificate requests
	Requested []string `json:"requested,omitempty"` // those that the peer has named
}

// Proof is what one side proves who it is with.
type Proof struct {
	Identity    string      `json:"identity,omitempty"`
	State       string      `json:"state,omitempty"` // of the peer: proved, or claimed; own: sent, once it was
	How         string      `json:"how,omitempty"`
	Certificate Certificate `json:"certificate,omitzero"`
	More        int         `json:"more,omitempty"` // certificates beside it: the rest of the chain
	// Explanation says in sentences why this certificate was selected and others were
	// not, and by what a peer's was judged.
	Explanation []string `json:"explanation,omitempty"`
}

// Certificate are the particulars of a certificate.
type Certificate struct {
	Subject   string `json:"subject,omitempty"` // RFC 4514
	Issuer    string `json:"issuer,omitempty"`
	Serial    string `json:"serial,omitempty"`     // hexadecimal
	NotBefore string `json:"not_before,omitempty"` // RFC 3339
	NotAfter  string `json:"not_after,omitempty"`
	Key       string `json:"key,omitempty"`   // algorithm and size
	Fault     string `json:"fault,omitempty"` // why it cannot be read
}
