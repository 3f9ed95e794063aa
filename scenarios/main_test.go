package scenarios_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A run leaves no goroutine behind, however it ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
