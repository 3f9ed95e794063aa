package lint

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/profile"
)

// on reviews main-mode methods, named by the groups of Windows or by IANA's, on hosts
// with these operating systems; "" is one of which nothing is known. What is found about
// groups and about offers that are left out is returned.
func on(t *testing.T, methods []string, systems ...string) (found []string) {
	p := &policy.Policy{Name: "p", Rules: []policy.Rule{secure(t, "all", nil, filterOf(t, "any 10.0.0.0/24 > 10.0.9.9"))}}
	for _, word := range methods {
		var m ike.MainModeProposal
		var err error
		if m, err = policy.ParseMainModeMethod(word); err != nil {
			m = ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1"}
			_, err = fmt.Sscanf(word, "modp-%d", &m.Group)
		}
		require.NoError(t, err)
		p.MainMode.Proposals = append(p.MainMode.Proposals, m)
	}
	in := &Input{Policies: []Policy{{Policy: p, Assigned: true}}}
	for i, name := range systems {
		h := Host{Name: fmt.Sprintf("h%d", i), Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}, Policy: "p", Policies: []string{"p"}}
		if name != "" {
			system, ok := profile.Named(name)
			require.True(t, ok, name)
			h.Options.System = system
		}
		in.Hosts = append(in.Hosts, h)
	}
	for _, f := range Lint(in) {
		if f.Rule == group2 || f.Rule == offersPruned {
			found = append(found, f.Rule.ID+": "+f.Message)
		}
	}
	return found
}

// A host is not asked for a group that its operating system does not have: once the
// advice is followed, nothing is left to say.
func TestGroupsThatASystemHas(t *testing.T) {
	const want = "group-2-only: main mode of policy p has no group of 2048 bits or more"
	two, both := []string{"3DES-SHA1-2"}, []string{"3DES-SHA1-3", "3DES-SHA1-2"}
	for _, system := range []string{"", "windows-2003"} {
		require.Equal(t, []string{want}, on(t, two, system))
		require.Empty(t, on(t, both, system))
	}
	for _, system := range []string{"windows-2000-sp4", "windows-xp-sp2", "solaris-10", "linksys"} {
		require.Empty(t, on(t, two, system), system)
		require.Equal(t, []string{want}, on(t, two, system, "windows-2003"), "one of them has it")
	}
	require.Equal(t, []string{"group-2-only: main mode of policy p has no group of more than 1024 bits, and h0 has one of 1536"}, on(t, two, "freeswan"))
	require.Empty(t, on(t, []string{"modp-5", "3DES-SHA1-2"}, "freeswan"))
	require.Equal(t, []string{want}, on(t, two), "nobody is known")
	// Of what the policy leaves to the lab, nothing is left out.
	for _, system := range []string{"", "windows-2003", "windows-xp-sp2", "solaris-10", "linksys"} {
		require.Empty(t, on(t, nil, system), system)
	}
	require.Equal(t, []string{"offers-left-out: h0 leaves out of main mode, in policy p: 3DES-SHA1-3"}, on(t, both, "solaris-10"))
}
