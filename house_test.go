package clicknps_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the exported API to api/*.txt")

const module = "github.com/clicknps/go-sdk"

// public holds the packages that users import, by name, with their folders.
var public = map[string]string{"clicknps": ".", "webhook": "./webhook", "clicknpstest": "./clicknpstest"}

// goList returns the lines that go list prints.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

type importRule struct {
	folder string   // of the importing package
	allow  []string // folders of this module that it may import
}

var importRules = []importRule{
	{"/internal/*", []string{"/internal/*"}},
	{"", []string{"/internal/*"}},
	{"/webhook", []string{"", "/internal/signing", "/internal/lenient"}},
	{"/clicknpstest", []string{"", "/webhook", "/internal/signing"}},
	{"/cmd/*", []string{"", "/webhook", "/clicknpstest"}},
	{"/examples/*", []string{"", "/webhook", "/clicknpstest"}},
}

func TestImportsGoDownwards(t *testing.T) {
	t.Parallel()
	for _, line := range goList(t, "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...") {
		fields := strings.Fields(line)
		i := slices.IndexFunc(importRules, func(r importRule) bool {
			return matches(r.folder, strings.TrimPrefix(fields[0], module))
		})
		require.GreaterOrEqual(t, i, 0, "no rule for the imports of %s", fields[0])
		for _, imported := range fields[1:] {
			folder, ours := strings.CutPrefix(imported, module)
			allowed := slices.ContainsFunc(importRules[i].allow, func(pattern string) bool {
				return matches(pattern, folder)
			})
			assert.True(t, allowed || !ours, "%s must not import %s", fields[0], imported)
		}
	}
}

func matches(pattern, folder string) bool {
	ok, err := path.Match(pattern, folder)
	return ok && err == nil
}

// The flags that package testing registers must not appear in users' programs.
func TestNothingImportsPackageTesting(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, goList(t, "-deps", "./..."), "testing")
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	direct := goList(t, "-m", "-f", `{{if not (or .Main .Indirect)}}{{.Path}}{{end}}`, "all")
	direct = slices.DeleteFunc(direct, func(line string) bool { return line == "" })
	assert.ElementsMatch(t, []string{
		"github.com/google/go-querystring", "github.com/hashicorp/go-retryablehttp",
		"github.com/jarcoal/httpmock", "github.com/stretchr/testify",
	}, direct)
	for _, dep := range goList(t, "-deps", "./...") {
		forTests := strings.HasPrefix(dep, "github.com/jarcoal/") || strings.HasPrefix(dep, "github.com/stretchr/")
		assert.False(t, forTests, "%s is for tests only", dep)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	exports := map[string]string{} // the files with the export data of packages
	args := []string{"-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, folder := range public {
		args = append(args, folder)
	}
	for _, line := range goList(t, args...) {
		importPath, file, _ := strings.Cut(line, " ")
		exports[importPath] = file
	}
	packages := importer.ForCompiler(token.NewFileSet(), "gc", func(importPath string) (io.ReadCloser, error) {
		return os.Open(exports[importPath])
	})
	for name, folder := range public {
		pkg, err := packages.Import(path.Join(module, folder))
		require.NoError(t, err)
		a := &api{t: t, pkg: pkg}
		for _, object := range pkg.Scope().Names() {
			if token.IsExported(object) {
				a.object(pkg.Scope().Lookup(object))
			}
		}
		slices.Sort(a.lines)
		file := path.Join("api", name+".txt")
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(strings.Join(a.lines, "\n")+"\n"), 0o644))
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		frozen := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, line := range without(frozen, a.lines) {
			t.Errorf("%s: the code lacks: %s", file, line)
		}
		for _, line := range without(a.lines, frozen) {
			t.Errorf("%s: the text lacks: %s", file, line)
		}
	}
	if t.Failed() {
		t.Log("If the API is meant to change, update the text: go test -run TestAPI -update .")
	}
}

// without returns the elements of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) })
}

// api writes the exported API of a package as text: one line for each exported name, as in the folder api of Go.
type api struct {
	t     *testing.T
	pkg   *types.Package
	lines []string
}

func (a *api) add(format string, args ...any) {
	a.lines = append(a.lines, "pkg "+a.pkg.Name()+", "+fmt.Sprintf(format, args...))
}

func (a *api) object(object types.Object) {
	switch o := object.(type) {
	case *types.Const:
		a.add("const %s %s = %s", o.Name(), a.typ(o.Type()), o.Val().ExactString())
	case *types.Var:
		a.add("var %s %s", o.Name(), a.typ(o.Type()))
	case *types.Func:
		a.add("func %s%s", o.Name(), a.signature(o.Signature()))
	case *types.TypeName:
		if o.IsAlias() {
			a.add("type %s = %s", o.Name(), a.typ(types.Unalias(o.Type())))
			return
		}
		named := o.Type().(*types.Named)
		a.typeName(o.Name()+a.typeParams(named.TypeParams()), named.Underlying())
		for m := range named.Methods() {
			if m.Exported() {
				a.add("method (%s) %s%s", a.typ(m.Signature().Recv().Type()), m.Name(), a.signature(m.Signature()))
			}
		}
	}
}

func (a *api) typeName(name string, underlying types.Type) {
	switch u := underlying.(type) {
	case *types.Struct:
		a.add("type %s struct", name)
		for i := range u.NumFields() {
			tag := ""
			if u.Tag(i) != "" {
				tag = " `" + u.Tag(i) + "`"
			}
			if f := u.Field(i); f.Embedded() {
				a.add("type %s struct, embedded %s%s", name, a.typ(f.Type()), tag)
			} else if f.Exported() {
				a.add("type %s struct, %s %s%s", name, f.Name(), a.typ(f.Type()), tag)
			}
		}
	case *types.Interface:
		a.add("type %s interface", name)
		for m := range u.Methods() {
			if m.Exported() {
				a.add("type %s interface, %s%s", name, m.Name(), a.signature(m.Signature()))
			} else {
				a.add("type %s interface, unexported methods", name)
			}
		}
	default:
		a.add("type %s %s", name, a.typ(u))
	}
}

// signature writes a signature without the names of its parameters, which callers do not depend on.
func (a *api) signature(s *types.Signature) string {
	var params, results []string
	for i := range s.Params().Len() {
		param := s.Params().At(i).Type()
		if s.Variadic() && i == s.Params().Len()-1 {
			params = append(params, "..."+a.typ(param.(*types.Slice).Elem()))
		} else {
			params = append(params, a.typ(param))
		}
	}
	for v := range s.Results().Variables() {
		results = append(results, a.typ(v.Type()))
	}
	text := a.typeParams(s.TypeParams()) + "(" + strings.Join(params, ", ") + ")"
	switch len(results) {
	case 0:
		return text
	case 1:
		return text + " " + results[0]
	}
	return text + " (" + strings.Join(results, ", ") + ")"
}

func (a *api) typeParams(list *types.TypeParamList) string {
	var params []string
	for p := range list.TypeParams() {
		params = append(params, p.Obj().Name()+" "+a.typ(p.Constraint()))
	}
	if params == nil {
		return ""
	}
	return "[" + strings.Join(params, ", ") + "]"
}

// typ writes a type. A type of a dependency or of an internal package fails the test.
func (a *api) typ(t types.Type) string {
	if s, ok := t.(*types.Signature); ok {
		return "func" + a.signature(s)
	}
	return types.TypeString(t, func(p *types.Package) string {
		if p == a.pkg {
			return ""
		}
		inner, ours := strings.CutPrefix(p.Path(), module)
		host, _, _ := strings.Cut(p.Path(), "/")
		assert.False(a.t, ours && strings.HasPrefix(inner, "/internal") || !ours && strings.Contains(host, "."),
			"the API of %s shows a type of %s", a.pkg.Name(), p.Path())
		return p.Name()
	})
}

func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, folder := range public {
		pkg := parseDocs(t, folder)
		d := documented{t: t, pkg: pkg.Name}
		assert.True(t, strings.HasPrefix(pkg.Doc, "Package "+pkg.Name+" "), "package %s: %.60q", pkg.Name, pkg.Doc)
		d.values(append(pkg.Consts, pkg.Vars...))
		d.funcs("", pkg.Funcs)
		for _, typ := range pkg.Types {
			d.check(typ.Name, typ.Name, typ.Doc)
			d.values(append(typ.Consts, typ.Vars...))
			d.funcs("", typ.Funcs)
			d.funcs(typ.Name+".", typ.Methods)
			i, ok := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType)
			if ok && typ.Name != "TB" { // whose methods are described in package testing
				d.interfaceMethods(typ.Name+".", i.Methods.List)
			}
		}
	}
}

func parseDocs(t *testing.T, folder string) *doc.Package {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range strings.Fields(goList(t, "-f", `{{join .GoFiles " "}}`, folder)[0]) {
		file, err := parser.ParseFile(fset, path.Join(folder, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, path.Join(module, folder))
	require.NoError(t, err)
	return pkg
}

// documented checks doc comments: each begins with the name that it describes, after an article at most.
type documented struct {
	t   *testing.T
	pkg string
}

func (d documented) check(shown, name, text string) {
	text = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(text, "A "), "An "), "The ")
	word, _, _ := strings.Cut(strings.ReplaceAll(text, "\n", " "), " ")
	word = strings.TrimRight(word, ",.:")
	assert.Equal(d.t, name, word, "the doc comment of %s.%s must begin with its name", d.pkg, shown)
}

func (d documented) funcs(prefix string, funcs []*doc.Func) {
	for _, f := range funcs {
		d.check(prefix+f.Name, f.Name, f.Doc)
	}
}

// interfaceMethods checks the methods of an interface. A single method may be described with the interface.
func (d documented) interfaceMethods(prefix string, methods []*ast.Field) {
	for _, m := range methods {
		if len(methods) > 1 && len(m.Names) == 1 && m.Names[0].IsExported() {
			d.check(prefix+m.Names[0].Name, m.Names[0].Name, m.Doc.Text())
		}
	}
}

// values checks constants and variables. A comment of their group or on their line will do.
func (d documented) values(groups []*doc.Value) {
	for _, group := range groups {
		for _, spec := range group.Decl.Specs {
			v := spec.(*ast.ValueSpec)
			text := group.Doc + v.Doc.Text() + v.Comment.Text()
			assert.NotEmpty(d.t, text, "%s.%s has no doc comment", d.pkg, v.Names[0].Name)
		}
	}
}

// documents returns the Markdown files that users read, with their texts.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/README.md", "redisstore/*.md", "otelclicknps/*.md"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			texts[name] = string(text)
		}
	}
	require.Greater(t, len(texts), 10)
	return texts
}

// Each Go snippet of a document is a part of a Go file, which the tests compile.
func TestSnippetsAreCompiled(t *testing.T) {
	t.Parallel()
	indent := regexp.MustCompile(`(?m)^\s+`)
	var code strings.Builder
	require.NoError(t, filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".go") {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			code.WriteString(indent.ReplaceAllString(string(text), ""))
		}
		return err
	}))
	snippet := regexp.MustCompile("(?s)```go\n(.*?)```")
	for name, text := range documents(t) {
		for _, found := range snippet.FindAllStringSubmatch(text, -1) {
			compiled := strings.Contains(code.String(), indent.ReplaceAllString(found[1], ""))
			assert.True(t, compiled, "%s has a snippet that no Go file has:\n%s", name, found[1])
		}
	}
}

// Each link of a document leads to a file or a heading that is there.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	for name, text := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if target := found[1]; target != "" && !strings.Contains(target, "://") {
				_, err := os.Stat(filepath.Join(filepath.Dir(name), target))
				assert.NoError(t, err, "%s links to %s", name, target)
			}
		}
	}
}
