// What Microsoft's own parser and binder of KQL say of queries: scripts/check-alerts pipes a JSON object of them in, and reads one of problems.
const folder = process.argv[2];
require(`${folder}/node_modules/@kusto/language-service-next/bridge.min.js`);
require(`${folder}/node_modules/@kusto/language-service-next/Kusto.Language.Bridge.min.js`);
const { KustoCode, GlobalState, Symbols } = Kusto.Language;

// The columns that the alerts ask for, as Azure Monitor's reference has them.
const TABLES = {
  AppTraces: "(TimeGenerated: datetime, AppRoleName: string, Message: string, SeverityLevel: int)",
  AppRequests: "(TimeGenerated: datetime, AppRoleName: string, Name: string, Success: bool, ResultCode: string)",
  ContainerAppConsoleLogs_CL: "(TimeGenerated: datetime, ContainerJobName_s: string, Log_s: string)",
};
const tables = Object.entries(TABLES).map(([name, columns]) => new Symbols.TableSymbol.$ctor7(name, columns, null));
const database = new Symbols.DatabaseSymbol.$ctor1("logs", tables, false);
const globals = GlobalState.Default.WithDatabase(database);

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", () => {
  const problems = {};
  for (const [name, query] of Object.entries(JSON.parse(text))) {
    const found = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
    problems[name] = [];
    for (let i = 0; i < found.Count; i++) problems[name].push(`${found.getItem(i).Severity}: ${found.getItem(i).Message}`);
  }
  console.log(JSON.stringify(problems));
});
