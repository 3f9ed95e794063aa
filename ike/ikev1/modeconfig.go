package ikev1

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Mode config, draft-dukes-ike-mode-cfg-02: who takes an inner address asks for it by
// REQUEST and has it by REPLY, or the other side gives it by SET, which ACK acknowledges.

const configExchange = "mode config"

// lease is an inner address that is in use. Main modes with the same computer and user
// share one, so that a successor keeps it.
type lease struct {
	address netip.Addr
	owner   string
	uses    int
}

// startConfig begins it; false: there is nothing to be waited for.
func (sa *SA) startConfig(now time.Time) (bool, error) {
	c := sa.policy.ModeConfig
	switch {
	case c == nil, c.Gives != nil && !c.Push:
		return false, nil
	case c.Gives != nil:
		return true, sa.push(now, c)
	case c.Push:
		sa.stepped(configExchange, "started", "", nil)
		sa.await(now, sa.env.Config.Gaps(), ike.Errorf(ike.CodeInnerAddress, 0, "the peer has not given an inner address"))
		return true, nil
	}
	sa.stepped(configExchange, "started", "", nil)
	id, err := sa.identifier()
	if err != nil {
		return false, err
	}
	request := payload.Attributes{Config: payload.ConfigRequest, Identifier: id, Attributes: ike.WantedAttributes()}
	return true, sa.ask(now, payload.Transaction, request, func(now time.Time, m *message) {
		a := m.attributes()
		if !isAnswer(a, request) {
			sa.configFailed(now, ike.Errorf(ike.CodeInnerAddress, 0, "mode config: %v is no answer to the question for an inner address", a.Config))
			return
		}
		if err := sa.take(a.Attributes); err != nil {
			sa.configFailed(now, err)
			return
		}
		sa.proceed(now)
	}, func(now time.Time) {
		sa.configFailed(now, ike.Errorf(ike.CodeInnerAddress, 0, "the peer does not answer the question for an inner address"))
	})
}

func (sa *SA) configFailed(now time.Time, err error) {
	sa.stepped(configExchange, "failed", "", err)
	sa.giveUp(now, err)
}

// take keeps what the peer gives.
func (sa *SA) take(as []payload.Attribute) error {
	a, err := ike.ReadAssignment(as)
	if err != nil {
		return err
	}
	if !a.Address.IsValid() || a.Address.IsUnspecified() {
		return ike.Errorf(ike.CodeInnerAddress, 0, "mode config: the peer gives no inner address")
	}
	sa.assignment = &a
	sa.stepped(configExchange, "established", a.String(), nil)
	return nil
}

// given answers the SET of a peer. What we acknowledge stands in the answer without its value.
func (sa *SA) given(now time.Time, m *message, a payload.Attributes) {
	c := sa.policy.ModeConfig
	if sa.state != configuring || sa.underway != stepConfig || c == nil || c.Gives != nil || !c.Push {
		sa.reply(now, m, a) // nothing is taken
		return
	}
	if err := sa.take(a.Attributes); err != nil {
		sa.reply(now, m, a)
		sa.configFailed(now, err)
		return
	}
	var taken []payload.Attribute
	for _, at := range a.Attributes {
		taken = append(taken, payload.Attribute{Type: at.Type})
	}
	sa.reply(now, m, a, taken...)
	sa.proceed(now)
}

// push gives the peer an address of our own accord.
func (sa *SA) push(now time.Time, c *ike.ModeConfig) error {
	sa.stepped(configExchange, "started", "", nil)
	id, err := sa.identifier()
	if err != nil {
		return err
	}
	if err := sa.assign(c, netip.Addr{}); err != nil {
		sa.stepped(configExchange, "failed", "", err)
		return err
	}
	set := payload.Attributes{Config: payload.ConfigSet, Identifier: id, Attributes: sa.assignment.Attributes(nil)}
	return sa.ask(now, payload.Transaction, set, func(now time.Time, m *message) {
		a := m.attributes()
		if _, taken := find(a.Attributes, payload.ConfigIP4Address); !isAnswer(a, set) || !taken {
			sa.configFailed(now, ike.Errorf(ike.CodeInnerAddress, 0, "mode config: the peer does not take the inner address"))
			return
		}
		sa.stepped(configExchange, "established", sa.assignment.String(), nil)
		sa.proceed(now)
	}, func(now time.Time) {
		sa.configFailed(now, ike.Errorf(ike.CodeInnerAddress, 0, "the peer does not acknowledge an inner address"))
	})
}

// askedForConfig answers a REQUEST: what we do not give is left out.
func (sa *SA) askedForConfig(now time.Time, m *message, a payload.Attributes) {
	c := sa.policy.ModeConfig
	if c == nil || !sa.admitted() || c.Gives == nil || c.Push {
		var as []payload.Attribute
		if _, asked := find(a.Attributes, payload.ConfigVersion); asked && c != nil && c.Version != "" {
			as = append(as, payload.Attribute{Type: payload.ConfigVersion, Value: []byte(c.Version)})
		}
		sa.reply(now, m, a, as...)
		return
	}
	wish := netip.Addr{}
	if at, ok := find(a.Attributes, payload.ConfigIP4Address); ok && len(at.Value) == 4 {
		wish = netip.AddrFrom4([4]byte(at.Value))
	}
	if sa.assignment == nil {
		if err := sa.assign(c, wish); err != nil {
			sa.stepped(configExchange, "failed", "", err)
			sa.reply(now, m, a)
			return
		}
		sa.stepped(configExchange, "established", sa.assignment.String(), nil)
		if sa.state == established {
			sa.assigned()
		}
	}
	as := sa.assignment.Attributes(a.Attributes)
	sa.reply(now, m, a, as...)
}

// assign leases an address of the pool: the one that this computer and user have, the one
// that it wishes, or the first that is free.
func (sa *SA) assign(c *ike.ModeConfig, wish netip.Addr) error {
	owner := sa.owner()
	env := sa.env
	i := slices.IndexFunc(env.leases, func(l *lease) bool { return l.owner == owner && inPool(c.Gives, l.address) })
	if i < 0 {
		address, ok := env.free(c.Gives, wish)
		if !ok {
			return ike.Errorf(ike.CodeInnerAddress, 0, "mode config: all %d inner addresses are in use", c.Gives.Size())
		}
		i = len(env.leases)
		env.leases = append(env.leases, &lease{address: address, owner: owner})
	}
	sa.lease, sa.gave = env.leases[i], true
	sa.lease.uses++
	a := c.Gives.Assignment(sa.lease.address, c.Version)
	sa.assignment = &a
	return nil
}

// owner is the computer and user that an address is leased to. Two of one address have ports of their own.
func (sa *SA) owner() string {
	if sa.Unshared() {
		return sa.remote.Addr().String() + " " + sa.peerID
	}
	return sa.remote.String() + " " + sa.peerID
}

func inPool(c *ike.Configuration, a netip.Addr) bool { return !a.Less(c.First) && !c.Last.Less(a) }

// free is an address that nobody has.
func (env *Env) free(c *ike.Configuration, wish netip.Addr) (netip.Addr, bool) {
	leased := map[netip.Addr]bool{}
	for _, l := range env.leases {
		leased[l.address] = true
	}
	if wish.IsValid() && inPool(c, wish) && !leased[wish] {
		return wish, true
	}
	for n := range c.Size() {
		if a := c.Address(n); !leased[a] {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// release gives the inner address back, with the end of the SA.
func (sa *SA) release() {
	l := sa.lease
	if l == nil {
		return
	}
	sa.lease = nil
	if l.uses--; l.uses == 0 {
		sa.env.leases = slices.DeleteFunc(sa.env.leases, func(o *lease) bool { return o == l })
	}
}
