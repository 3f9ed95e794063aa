package ike

import (
	"fmt"
	"time"
)

// ReliableDelete is about Deletes that are acknowledged, MS-IKEE, 3.8: Windows XP and
// later repeat them until the peer has answered.
type ReliableDelete struct {
	// Enabled has us send them to peers whose vendor ID is Microsoft's, and acknowledge
	// theirs. Windows 2000 does neither (MS-IKEE, product notes 23 and 24); peers of its
	// version are sent a plain one, as all others are.
	Enabled bool
	// Retransmissions of one that nobody acknowledges, 1 to 32. 0: six, as MS-IKEE, product
	// note 24 has it; 3.8.6.1 says four.
	Retransmissions int
}

// ReliableDeleteNonce is the length of the nonces of acknowledged Deletes in bytes, MS-IKEE, product note 23.
const ReliableDeleteNonce = 32

// Gaps are those between the copies of a Delete: from one second on each is twice the
// one before, up to 16 s (MS-IKEE, product note 24).
func (r ReliableDelete) Gaps() []time.Duration {
	n := r.Retransmissions
	if n == 0 {
		n = 6
	}
	gaps := make([]time.Duration, n)
	for i := range gaps {
		gaps[i] = min(time.Second<<min(i, 4), 16*time.Second)
	}
	return gaps
}

func (r ReliableDelete) check() error {
	if r.Retransmissions < 0 || r.Retransmissions > 32 {
		return fmt.Errorf("ike: Config.ReliableDelete.Retransmissions is %d, must be 0 to 32", r.Retransmissions)
	}
	return nil
}
