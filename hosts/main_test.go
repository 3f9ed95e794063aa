package hosts_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A closed host leaves no goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
