// Package release tests that a release can be fetched.
package release

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const root = "github.com/clicknps/go-sdk"

// published holds the folders of the modules that users fetch.
var published = []string{".", "redisstore", "otelclicknps"}

// version returns the version of the SDK, as clicknps.Version says.
func version(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../clicknps.go")
	require.NoError(t, err)
	match := regexp.MustCompile(`const Version = "(.*)"`).FindSubmatch(source)
	require.NotNil(t, match)
	return "v" + string(match[1])
}

// publish adds a module to the file proxy in folder proxy.
func publish(t *testing.T, proxy, folder, version string) {
	t.Helper()
	mod := module.Version{Path: path.Join(root, folder), Version: version}
	dir := filepath.Join(proxy, mod.Path, "@v")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	write := func(name string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	goMod, err := os.ReadFile(filepath.Join("..", folder, "go.mod"))
	require.NoError(t, err)
	write("list", []byte(version+"\n"))
	write(version+".info", []byte(`{"Version":"`+version+`"}`))
	write(version+".mod", goMod)
	file, err := os.Create(filepath.Join(dir, version+".zip"))
	require.NoError(t, err)
	require.NoError(t, zip.CreateFromDir(file, mod, filepath.Join("..", folder)))
	require.NoError(t, file.Close())
}

// Each published module can be fetched by itself, from an empty module cache.
func TestModulesCanBeFetched(t *testing.T) {
	proxy, version := t.TempDir(), version(t)
	for _, folder := range published {
		publish(t, proxy, folder, version)
	}
	upstream, err := exec.CommandContext(t.Context(), "go", "env", "GOPROXY").Output()
	require.NoError(t, err)
	for _, folder := range published {
		t.Run(folder, func(t *testing.T) {
			dir := t.TempDir()
			run := func(args ...string) {
				cmd := exec.CommandContext(t.Context(), "go", args...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "GOMODCACHE="+filepath.Join(dir, "cache"), "GOFLAGS=-modcacherw",
					"GOPROXY=file://"+proxy+","+strings.TrimSpace(string(upstream)), "GOSUMDB=off", "GOWORK=off")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "go %s: %s", strings.Join(args, " "), out)
			}
			fetched := path.Join(root, folder)
			run("mod", "init", "example.com/user")
			run("get", fetched+"@"+version)
			run("list", "-deps", fetched) // all of what it imports is there
		})
	}
}

// All modules that users fetch require each other at the version of the release.
func TestModulesRequireTheRelease(t *testing.T) {
	version := version(t)
	for _, folder := range published {
		data, err := os.ReadFile(filepath.Join("..", folder, "go.mod"))
		require.NoError(t, err)
		file, err := modfile.Parse("go.mod", data, nil)
		require.NoError(t, err)
		for _, r := range file.Require {
			if strings.HasPrefix(r.Mod.Path, root) {
				assert.Equal(t, version, r.Mod.Version, "%s requires %s", folder, r.Mod.Path)
			}
		}
	}
}
