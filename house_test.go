package clicknps_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/clicknps/go-sdk"

// deps lists what a package of this module needs to be built, tests aside.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg).CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.Fields(string(out))
}

func under(pkg, dir string) bool { return pkg == module+dir || strings.HasPrefix(pkg, module+dir+"/") }

// The house has one direction: programs, the fake, the client, internal.
func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	above := []string{"/cmd", "/examples", "/bench", "/redisstore"}
	for _, layer := range []struct {
		pkg       string
		mayNotUse []string
	}{
		{"./internal/...", append(above, "/clicknpstest", "")},
		{".", append(above, "/clicknpstest")},
		{"./clicknpstest", above},
	} {
		for _, dep := range deps(t, layer.pkg) {
			for _, dir := range layer.mayNotUse {
				if dir == "" {
					require.NotEqual(t, module, dep, "%s uses the root package", layer.pkg)
					continue
				}
				require.False(t, under(dep, dir), "%s uses %s", layer.pkg, dep)
			}
		}
	}
}

// Users' programs must not carry the flags that package testing registers.
func TestNothingNeedsPackageTesting(t *testing.T) {
	t.Parallel()
	for _, pkg := range []string{".", "./clicknpstest", "./cmd/..."} {
		require.NotContains(t, deps(t, pkg), "testing", pkg)
	}
}

func TestDependenciesAreTheFourThatTheDesignNames(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	var direct []string
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.Contains(fields[0], "/") && !strings.Contains(line, "// indirect") {
			direct = append(direct, fields[0])
		}
	}
	require.ElementsMatch(t, []string{
		"github.com/google/go-querystring", "github.com/hashicorp/go-retryablehttp",
		"github.com/jarcoal/httpmock", "github.com/stretchr/testify",
	}, direct)
}
