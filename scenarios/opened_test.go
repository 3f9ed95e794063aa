package scenarios

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// What virtual hosts send opens with the keys of the trace, in each form of protection; with
// another key it does not, and the step fails.
func TestOpened(t *testing.T) {
	for _, name := range []string{"h2h_encrypt_or_authenticate", "ah_ipv4_options", "tunnel_host_to_host", "suite_combined_modes", "nat_two_clients", "tunnel_path_mtu"} {
		t.Run(name, func(t *testing.T) {
			for _, spoil := range []bool{false, true} {
				all, err := LoadAll("catalogue/" + name + ".yaml")
				require.NoError(t, err)
				l, err := build(all[0], Options{}, nil, nil)
				require.NoError(t, err)
				l.wire.opener = newOpener()
				steps, over := l.direct()
				require.NoError(t, l.world.Run(context.Background(), longest, over))
				if spoil {
					for _, e := range l.log.Events() {
						if sa, ok := e.Body.(trace.SAAdded); ok {
							for _, key := range []trace.Hex{sa.CipherKey, sa.AuthKey} {
								for i := range key {
									key[i] ^= 0x42
								}
							}
						}
					}
				}
				judged := 0
				for _, s := range steps {
					for _, c := range s.result().Checks {
						if c.Name != "protected packets: all open with the keys, with data both ways" {
							continue
						}
						judged++
						want := result.Passed
						if spoil {
							want = result.Failed
						}
						require.Equal(t, want, c.Outcome, "%+v", c)
					}
				}
				require.NotZero(t, judged)
				require.NoError(t, l.close())
			}
		})
	}
}
