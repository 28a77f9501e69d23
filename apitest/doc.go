// Package apitest holds the SDK and the fake against the OpenAPI descriptions in the folder api. It has no
// code of its own. Its tests with the build tag prism need a mock server, which .ci/prism starts.
package apitest
