package hosts

import (
	"reflect"

	"github.com/ipseclab/ipseclab/hosts/policy"
)

// change puts policies in force in place of others and ends what the new ones
// invalidate: the SAs of filters that are gone or say something else now, soft SAs, and
// the dynamic filters of the default response rule. What an earlier expansion and this one
// have in common goes on. That policies can do so is what MS-ERREF has a number for,
// 13849, "new policy invalidated SAs formed with the old policy"; what Windows ends is
// not published. If the main mode with any peer would be another one, all SAs end.
func (a *agent) change(next assigned, why string) error {
	a.noteServers()
	compiled, err := a.compile(next)
	if err != nil {
		return err
	}
	if a.compiled == nil || a.otherMainMode(compiled) {
		a.host.keying.drop(why)
		a.use(next, compiled)
		return nil
	}
	compiled.KeepEqual(a.inForce)
	a.use(next, compiled)
	k := a.host.keying
	for _, local := range a.host.Addrs() {
		a.host.driver.esp.EndSoft(a.host.world.Time(), local, why)
	}
	k.endWithoutFilter(why)
	return nil
}

// otherMainMode reports whether a peer with which there is a main mode would get
// another one by a policy.
func (a *agent) otherMainMode(compiled *policy.Compiled) bool {
	for _, m := range a.host.keying.mux.MainModes() {
		was, had := a.compiled.MainMode(m.Local, m.Remote)
		is, has := compiled.MainMode(m.Local, m.Remote)
		if had != has || !reflect.DeepEqual(was, is) {
			return true
		}
	}
	return false
}
